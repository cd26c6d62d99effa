// The timed part of a contender: a number of requests with a clock around them, and how many requests fill a time.

export async function timed(contender, from, count) {
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  const given = contender.run(from, from + count);
  if (given instanceof Promise) await given;
  const ns = Number(process.hrtime.bigint() - start) / count;
  const { user, system } = process.cpuUsage(cpu);
  return { ns, cpu: ((user + system) * 1e3) / count };
}

/** As many requests as take `ms`; the first ones are for the compilers. */
export async function calibrate(contender, ms) {
  let count = contender.group ?? 32;
  for (;;) {
    const { ns } = await timed(contender, 0, count);
    if (ns * count >= ms * 1e6 || count >= 1 << 22) return Math.max(contender.group ?? 1, Math.ceil((ms * 1e6) / ns));
    count *= 2;
  }
}
