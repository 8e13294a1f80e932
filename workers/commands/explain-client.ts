import { systemClock } from '../../src/clock.js';
import { SyncError } from '../../src/errors.js';
import type { ClientId } from '../../src/plan/world.js';
import { clientLogin } from '../../src/reconcile/client-logins.js';
import type { BothSides } from '../both-sides.js';
import type { Cli } from '../cli.js';
import { type LoginView, loginCommand, readStanding, type Standing, toLoginView } from '../login-view.js';
import { holdView } from '../plan-view.js';
import { loginFacts } from '../terminal/login-text.js';
import { printable } from '../terminal/screen.js';

const CANNOT_LOG_IN = 4;

export interface ConsulAccess {
  readonly view: LoginView;
  readonly standing: Standing;
}

/** What one client, named `provider/client id`, may do with Consul itself. */
export async function explainClient(
  sides: BothSides,
  name: string,
  cli: Cli,
  isJson: boolean,
): Promise<void> {
  const { world } = sides;
  const slash = name.indexOf('/');
  const id = { provider: name.slice(0, slash), clientId: name.slice(slash + 1) };
  const found = await readAccess(sides, id, cli);
  if (found === undefined) {
    const providers = world.mapping.providers.join(', ');
    const message = `no provider has the client ${name}; write PROVIDER/CLIENT-ID, with one of these providers: ${providers}`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false });
  }
  const { view } = found;
  if (isJson) cli.screen.json(loginDocument(found));
  else {
    const { colors } = cli.screen;
    const verdict = view.login === undefined ? colors.red('cannot log in') : colors.green('may log in');
    cli.screen.line(`${verdict}  ${colors.bold(printable(`${name} (${view.client.actorKind})`))}`);
    cli.screen.line();
    for (const [fact, text] of loginFacts(found)) cli.screen.line(`  ${fact.padEnd(10)} ${printable(text)}`);
  }
  if (view.login === undefined) cli.exit(CANNOT_LOG_IN);
}

/** What a client may do with Consul, and what stands there for it; undefined where no directory has the client. */
export async function readAccess(
  { consul, world }: BothSides,
  id: ClientId,
  cli: Cli,
): Promise<ConsulAccess | undefined> {
  const standing = await readStanding(consul, world.mapping, id, cli.signal);
  const former = standing.kind === 'stands' ? standing.role : undefined;
  const found = clientLogin(world, id, systemClock.now(), former);
  return found && { view: toLoginView(found), standing };
}

export function loginDocument({ view: { client, login, limited, holds }, standing }: ConsulAccess) {
  return {
    client,
    mayLogIn: login !== undefined,
    login: login === undefined ? null : { ...login, command: loginCommand(login.authMethod) },
    standing:
      standing.kind === 'stands'
        ? { kind: standing.kind, maxTokenTtlSeconds: standing.maxTokenTtlSeconds }
        : standing,
    limited,
    holds: holds.map(holdView),
  };
}
