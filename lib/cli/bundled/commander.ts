// The parser of the command line.
export { Argument, Command, CommanderError, Help, InvalidArgumentError, Option } from 'commander';
