// Where on an image a bench works: all of it, or one partition.
import type { BlockDriver, MinorInfo, PartitionChoice, Source } from '../../index.js';

/** First byte and size of a file or of a partition of it. Registers nothing for longer than that takes. */
export function placeOf(driver: BlockDriver, source: Source, partition: PartitionChoice | undefined): Pick<MinorInfo, 'offset' | 'size'> {
  const disk = driver.registerSync(source);
  let minor = disk;
  try {
    if (partition !== undefined) minor = driver.registerPartitionSync(disk, partition);
    const { offset = 0, size = 0 } = driver.minors().find((info) => info.minor === minor) ?? {};
    return { offset, size };
  } finally {
    if (minor !== disk) driver.deregister(minor);
    driver.deregister(disk);
  }
}
