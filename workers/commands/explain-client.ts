import { systemClock } from '../../src/clock.js';
import { SyncError } from '../../src/errors.js';
import { clientLogin } from '../../src/reconcile/client-logins.js';
import type { BothSides } from '../both-sides.js';
import type { Cli } from '../cli.js';
import { type LoginView, loginCommand, readStanding, type Standing, toLoginView } from '../login-view.js';
import { holdView } from '../plan-view.js';
import { loginFacts } from '../terminal/login-text.js';
import { printable } from '../terminal/screen.js';

const CANNOT_LOG_IN = 4;

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
  const found = clientLogin(world, id, systemClock.now());
  if (found === undefined) {
    const providers = world.mapping.providers.join(', ');
    const message = `no provider has the client ${name}; write PROVIDER/CLIENT-ID, with one of these providers: ${providers}`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false });
  }
  const view = toLoginView(found);
  const standing = await standingOf(sides, view, cli);
  if (isJson) cli.screen.json(loginDocument(view, standing));
  else {
    const { colors } = cli.screen;
    const verdict = view.login === undefined ? colors.red('cannot log in') : colors.green('may log in');
    cli.screen.line(`${verdict}  ${colors.bold(printable(`${name} (${view.client.actorKind})`))}`);
    cli.screen.line();
    for (const [fact, text] of loginFacts(view, standing))
      cli.screen.line(`  ${fact.padEnd(10)} ${printable(text)}`);
  }
  if (view.login === undefined) cli.exit(CANNOT_LOG_IN);
}

/** What stands is looked up only where something is wanted or held: without that, no ACL permission is needed. */
export async function standingOf({ consul, world }: BothSides, view: LoginView, cli: Cli): Promise<Standing> {
  if (view.login === undefined && view.holds.length === 0) return { kind: 'none' };
  return readStanding(consul, world.mapping.owner, view.client, cli.signal);
}

export function loginDocument({ client, login, limited, holds }: LoginView, standing: Standing) {
  return {
    client,
    mayLogIn: login !== undefined,
    login: login === undefined ? null : { ...login, command: loginCommand(login.authMethod) },
    standing,
    limited,
    holds: holds.map(holdView),
  };
}
