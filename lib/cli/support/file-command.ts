// Declares a command that works on FILE.
import type { Command } from '../bundled/commander.js';
import { addImageOptions } from './image.js';
import { FILE_HELP, parseSource } from './source.js';

/** Takes the exit status of a command that has run. */
export type Done = (status: number) => void;

export function addFileCommand(program: Command, name: string, description: string): Command {
  return program.command(name).description(description).argument('<file>', FILE_HELP, parseSource);
}

/** The options that end the list of every command on FILE. */
export function addSharedOptions(command: Command): Command {
  return addImageOptions(command).option('--json', 'print one JSON document on stdout');
}
