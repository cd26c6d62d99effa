// The parser of the command line.
export { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
