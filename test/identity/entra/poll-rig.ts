import type { createEntra } from '../../../src/identity/entra/entra.js';
import type { PollResult } from '../../../src/identity/source.js';
import { type Entra, startEntra } from '../../support/entra/entra.js';
import { partsOf } from '../../support/entra/parts.js';
import { guidOf } from '../../support/entra/tenant.js';

/** A tenant with a client `web` and two APIs, of which `orders` counts, and the poll of it. */
export interface PollRig {
  readonly entra: Entra;
  readonly parts: ReturnType<typeof createEntra>;
  /** Where the last poll ended. */
  readonly cursor: string | undefined;
  /** Polls from the cursor on. */
  poll(): Promise<PollResult>;
  /** As a restart leaves things: the cursor alone. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startPollRig(): Promise<PollRig> {
  const entra = await startEntra();
  entra.addApi('orders', ['orders.read', 'orders.write'], ['orders.browse']);
  entra.addApi('other', ['orders.read'], ['orders.browse']);
  entra.addClient('web');
  let parts = partsOf(entra, ['orders']);
  let cursor: string | undefined;
  return {
    entra,
    get parts() {
      return parts;
    },
    get cursor() {
      return cursor;
    },
    async poll() {
      const result = await parts.poll.poll(cursor, new AbortController().signal);
      cursor = result.cursor;
      return result;
    },
    async restart() {
      await parts.directory.close();
      parts = partsOf(entra, ['orders']);
    },
    async stop() {
      await parts.directory.close();
      await entra.close();
    },
  };
}

export const triggersOf = ({ events }: PollResult) => events.flatMap(({ triggers }) => triggers);
export const ordersOf = ({ events }: PollResult) => events.flatMap(({ orders }) => orders);
export const keysOf = (result: PollResult) =>
  triggersOf(result).map(({ key }) => (key.kind === 'client' ? `${key.by} ${key.value}` : key.kind));
export const WEB = `clientId ${guidOf('web')}`;
