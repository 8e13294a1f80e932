import { type KeySetServer, startKeySetServer } from '../../support/key-set-server.js';

let started: Promise<KeySetServer> | undefined;

/** One for all scenarios of a process, which it does not keep from ending. */
export function identityProvider(): Promise<KeySetServer> {
  started ??= startKeySetServer().then((server) => {
    server.unref();
    return server;
  });
  return started;
}
