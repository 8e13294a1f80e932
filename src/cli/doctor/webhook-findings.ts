import { connect, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Config, WebhookSettings } from '../../../config/config.js';
import { WEBHOOKS_BODY, type WebhookStatus } from '../../app/webhook-status.js';
import { durationText } from '../terminal/duration-text.js';
import { type Finding, ok, warning } from './finding.js';

const TIMEOUT_MS = 5_000;

/**
 * Whether each receiver can be reached from here, and what it has not taken. `status`: of the running daemon, if it shows
 * one. Sends no event.
 */
export async function webhookFindings(
  { decisions }: Pick<Config, 'decisions'>,
  status: unknown,
  now: number,
): Promise<readonly Finding[]> {
  const known = WEBHOOKS_BODY.safeParse(status).data?.webhooks ?? [];
  const findings = decisions.webhooks.map(async (webhook): Promise<readonly Finding[]> => {
    const state = known.find(({ name }) => name === webhook.name);
    return [await reachFinding(webhook), ...(state === undefined ? [] : stateFindings(state, now))];
  });
  return (await Promise.all(findings)).flat();
}

async function reachFinding({ name, url }: WebhookSettings): Promise<Finding> {
  const fault = await faultOf(new URL(url));
  if (fault === undefined) return ok('webhook', `the receiver of the webhook ${name} can be reached`);
  return warning(
    'webhook',
    `the receiver of the webhook ${name} cannot be reached from here: ${fault}`,
    `check decisions.webhooks, the network and the receiver's certificate; then run scopemesh webhooks test ${name}`,
  );
}

/** Opens a connection and closes it. */
function faultOf({ protocol, hostname, port }: URL): Promise<string | undefined> {
  // Without the brackets of an IPv6 address.
  const host = hostname.replaceAll(/[[\]]/g, '');
  return new Promise((resolve) => {
    const isTls = protocol === 'https:';
    const at = { host, port: Number(port || (isTls ? 443 : 80)) };
    const socket = isTls ? connectTls(isIP(host) === 0 ? { ...at, servername: host } : at) : connect(at);
    const end = (fault: string | undefined) => {
      socket.destroy();
      resolve(fault);
    };
    socket.setTimeout(TIMEOUT_MS, () => end(`no answer within ${TIMEOUT_MS} ms`));
    socket.once(isTls ? 'secureConnect' : 'connect', () => end(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.name));
  });
}

function* stateFindings(
  { name, state, failing, deadLetters }: WebhookStatus,
  now: number,
): Iterable<Finding> {
  const retry = `scopemesh webhooks retry ${name}`;
  if (state === 'disabled')
    yield warning(
      'webhook.disabled',
      `the webhook ${name} is disabled, because its receiver answered 410 Gone`,
      `remove it from decisions.webhooks, or correct the receiver and run ${retry}`,
    );
  if (state === 'unreadable')
    yield warning(
      'webhook.unreadable',
      `what the store has of the webhook ${name} cannot be read, and nothing is sent`,
      'give the webhook a new name; it begins with the next decision',
    );
  if (failing !== null)
    yield warning(
      'webhook.failing',
      `the webhook ${name} has waited for ${durationText((now - Date.parse(failing.since)) / 1000)}: ${failing.attempts} attempts failed, the last with: ${failing.error}`,
      `correct the receiver, then run ${retry}`,
    );
  if (deadLetters.length > 0)
    yield warning(
      'webhook.dead',
      `the webhook ${name} gave up ${deadLetters.length} events`,
      `see scopemesh webhooks; send them again with ${retry}, or forget them with scopemesh webhooks drop ${name} ID`,
    );
}
