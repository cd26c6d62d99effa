// What the schemes of partition tables are called.
export const SCHEME_NAMES = {
  bsd: 'BSD disklabel',
  mbr: 'MBR',
  ebr: 'chain of logical partitions',
  gpt: 'GPT',
  apm: 'Apple Partition Map',
  sun: 'Sun label',
  unknown: 'another scheme',
} as const;
