import type { ProviderHealth } from '../../app/provider-health.js';
import type { AccessCheck } from '../../identity/directory.js';
import { printable, type Screen } from './screen.js';

/** One provider as the command shows it. */
export interface ProviderView {
  readonly provider: string;
  readonly kind: string;
  /** Null if no daemon runs, or the daemon does not know the provider yet. */
  readonly health: ProviderHealth | null;
  /** Null if the provider kind cannot report it, or the provider could not be reached. */
  readonly access: readonly AccessCheck[] | null;
  /** Why the provider could not be reached. */
  readonly error: string | null;
}

export function printProviders(
  views: readonly ProviderView[],
  isRunning: boolean,
  now: number,
  screen: Screen,
): void {
  const { colors } = screen;
  if (!isRunning) {
    screen.line(
      colors.yellow(
        'No daemon runs here (scopemesh run), so only the permissions of the credentials are shown.',
      ),
    );
    screen.line();
  }
  for (const { provider, kind, health, access, error } of views) {
    const fact = (name: string, text: string) => screen.line(`  ${name.padEnd(12)} ${printable(text)}`);
    screen.line(`${colors.bold(printable(provider))}  ${colors.dim(kind)}`);
    if (health !== null) for (const [name, text] of factsOf(health, now)) fact(name, text);
    else if (isRunning) fact('daemon', 'does not know this provider yet; restart the daemon');
    if (error !== null) screen.line(`  ${colors.red('access'.padEnd(12))} ${printable(error)}`);
    for (const { permission, neededFor, isGranted, remedy } of access ?? []) {
      const mark = isGranted ? colors.green('granted'.padEnd(12)) : colors.red('missing'.padEnd(12));
      const how = isGranted || remedy === undefined ? '' : `; ${remedy}`;
      screen.line(`  ${mark} ${printable(`${permission}: ${neededFor}${how}`)}`);
    }
    screen.line();
  }
}

function* factsOf(health: ProviderHealth, now: number): Iterable<readonly [name: string, text: string]> {
  const { provider, webhook, poll, signals, subscriptions, directory, pause, rechecks } = health;
  const ago = (instant: string | null) => (instant === null ? 'never' : `${age(instant, now)} ago`);
  const lag = (seconds: number | null) =>
    seconds === null ? '' : `, received after ${seconds.toFixed(1)} s`;
  if (webhook === null) yield ['webhook', 'none'];
  else yield ['webhook', `last event ${ago(webhook.lastEventAt)}${lag(webhook.lagSeconds)}`];
  if (poll === null) yield ['poll', 'none; the directory is read completely instead'];
  else {
    const event = `last event ${ago(poll.lastEventAt)}${lag(poll.lagSeconds)}`;
    yield ['poll', `last ${ago(poll.lastPollAt)}; ${event}`];
    yield ['cursor', poll.cursor ?? 'none yet'];
    if (webhook !== null) yield ['missed', `${poll.missedSignals} events that the webhook did not bring`];
  }
  if (signals !== null) {
    const polled = signals.delivery === 'push' ? 'pushed' : `polled ${ago(signals.lastPollAt)}`;
    const silence = signals.isSilent ? '; no signal for much longer than usual' : '';
    yield [
      'signals',
      `${polled}; last signal ${ago(signals.lastEventAt)}${lag(signals.lagSeconds)}${silence}`,
    ];
  }
  for (const { name, renewedAt, expiresAt } of subscriptions)
    yield [
      name === provider ? 'subscription' : 'stream',
      `renewed ${ago(renewedAt)}${expiresAt === null ? '' : `, ${end(expiresAt, now)}`}`,
    ];
  yield [
    'directory',
    directory.readAt === null
      ? 'never read completely'
      : `read completely ${ago(directory.readAt)}: ${directory.clients} clients, ${directory.requests} requests`,
  ];
  if (rechecks !== 0) yield ['rechecks', `${rechecks} waiting`];
  if (pause !== null) {
    const why = pause.why === 'credentials' ? 'refuses the credentials' : 'limits the rate';
    yield [
      'paused',
      `for ${length(pause.sinceSeconds * 1000)}, because the provider ${why}; asked again in ${Math.ceil(pause.remainingSeconds)} s`,
    ];
  }
}

function end(instant: string, now: number): string {
  const rest = Date.parse(instant) - now;
  return rest <= 0 ? `ended ${age(instant, now)} ago` : `ends in ${length(rest)}`;
}

function age(instant: string, now: number): string {
  return length(Math.max(0, now - Date.parse(instant)));
}

function length(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
