import { execFile } from 'node:child_process';
import { messageOf } from '../errors.js';
import type { Logger } from '../observe.js';
import { Outage } from '../repeat.js';

export type SupervisorState = 'READY=1' | 'RELOADING=1' | 'STOPPING=1' | 'WATCHDOG=1';

/** systemd, if it started this process and wants notifications (sd_notify(3)). */
export interface Supervisor {
  /** It wants `WATCHDOG=1` at least this often, in milliseconds; undefined: not at all. */
  readonly watchdogMs: number | undefined;
  /** Resolves when systemd has the state. Never rejects. States arrive in the order of the calls. */
  tell(state: SupervisorState): Promise<void>;
}

const TIMEOUT_MS = 5_000;

/**
 * Node has no datagram sockets of Unix, and the packages that add them need a compiler, so each state is one run of
 * `systemd-notify`, which comes with systemd. The unit needs `NotifyAccess=all` for it.
 */
export function createSupervisor(
  environment: Readonly<Record<string, string | undefined>>,
  logger: Logger,
): Supervisor {
  const { NOTIFY_SOCKET: socket, PATH, WATCHDOG_USEC } = environment;
  if (socket === undefined || socket === '') return { watchdogMs: undefined, tell: async () => {} };
  // Nothing else of the environment: it has secrets.
  const env = { NOTIFY_SOCKET: socket, ...(PATH === undefined ? {} : { PATH }) };
  const outage = new Outage();
  const send = (state: SupervisorState) =>
    new Promise<void>((resolve) => {
      execFile('systemd-notify', [state], { env, timeout: TIMEOUT_MS }, (error) => {
        if (error === null) outage.ends(0);
        else if (outage.begins(0))
          logger.error(
            { state, error: messageOf(error) },
            'systemd cannot be notified; install systemd-notify, or set Type=exec and no WatchdogSec in the unit',
          );
        resolve();
      });
    });
  let turn = Promise.resolve();
  return {
    watchdogMs: /^\d{4,15}$/.test(WATCHDOG_USEC ?? '') ? Number(WATCHDOG_USEC) / 1000 : undefined,
    tell(state) {
      turn = turn.then(() => send(state));
      return turn;
    },
  };
}
