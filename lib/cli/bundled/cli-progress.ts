// Bars on a terminal.
export { Presets, SingleBar } from 'cli-progress';
