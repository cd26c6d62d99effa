// The comparisons that the type tests make. A wrong one does not compile.

/** Compiles only for `true`. */
export type Expect<T extends true> = T;

/** Whether two types are the same. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Whether the keys of the two are the same, and each property has the same type and the same optionality. */
export type SameShape<A, B> = Equal<{ [K in keyof A]: A[K] }, { [K in keyof B]: B[K] }>;

/** Whether a value of type A may stand where B is asked for. */
export type Extends<A, B> = [A] extends [B] ? true : false;
