// Numbers of NBD addresses and names, for both ends of a connection.

/** The port that is NBD's. */
export const NBD_PORT = 10809;
export const MOST_PORT = 65535;
/** Bytes of the path of a Unix socket. */
export const MOST_SOCKET_PATH = 107;
/** Bytes of the name or the description of an export. */
export const MOST_NBD_TEXT = 4096;
