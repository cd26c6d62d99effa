// The packages that adapters fit: optional peers, so each is loaded by its own entry alone, and one that is missing is said by name.

/**
 * Loads a peer.
 *
 * @param name the package
 * @param entry the entry of this package that needs it
 * @param load its `require`, written out by the caller so that bundlers see the name
 * @throws {Error} with the code of what `require` threw, and what to do
 */
export function loadPeer<T>(name: string, entry: string, load: () => T): T {
  try {
    return load();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const [reason] = message.split('\n', 1);
    const error = new Error(`${entry} needs the package '${name}', which cannot be loaded (${reason}): npm install ${name}`, { cause });
    throw Object.assign(error, { code });
  }
}
