import { createServer, type Server } from 'node:net';
import { listen } from '../embedded/listen.js';
import { configError } from '../errors.js';

const HOST = '127.0.0.1';

interface PortPreference {
  /** The name of the server, for messages. */
  readonly name: string;
  readonly preferred: number;
  /** The user chose this port, so no other port will do. 0 means any port. */
  readonly isExplicit: boolean;
}

/** The preferred port if it is free, otherwise any free port. Throws ERR_CONFIG if the user chose a port in use. */
export async function choosePort(preference: PortPreference): Promise<number> {
  const probe = createServer();
  const port = await listenOnFreePort(probe, preference.preferred);
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  if (preference.isExplicit && preference.preferred !== 0 && port !== preference.preferred)
    throw configError(
      `demo: port ${preference.preferred} for ${preference.name} is in use; choose another port, or omit the option to use a free one`,
    );
  return port;
}

/** Listens on the loopback interface at `preferred`, or at any free port. Resolves with the port. */
export async function listenOnFreePort(server: Server, preferred: number): Promise<number> {
  const at = (port: number) => listen(server, { host: HOST, port });
  return at(preferred)
    .catch(() => at(0))
    .catch(() => {
      throw configError('demo: no port is free on the loopback interface');
    });
}
