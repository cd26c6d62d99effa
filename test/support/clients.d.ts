// The Node packages of the tests that bring no types.
declare module 'ext2fs' {
  const ext2fs: {
    mount(disk: object, offset?: number): Promise<unknown>;
    umount(fs: unknown): Promise<void>;
    withMountedDisk<T>(disk: object, offset: number, use: (fs: unknown) => Promise<T>): Promise<T>;
  };
  export default ext2fs;
}
declare module 'fatfs' {
  const fatfs: { createFileSystem(driver: object, options?: object): any };
  export default fatfs;
}
declare module 'random-access-storage' {
  const RandomAccessStorage: new (options?: object) => object;
  export default RandomAccessStorage;
}
