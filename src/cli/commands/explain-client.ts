import { systemClock } from '../../clock.js';
import { SyncError } from '../../errors.js';
import { clientLogin } from '../../reconcile/client-logins.js';
import type { Cli } from '../cli.js';
import type { BothSides } from '../load-current-state.js';
import { loginDocument, toLoginView } from '../login-view.js';
import { ORDERS_UNKNOWN } from '../terminal/explain-text.js';
import { loginFacts, loginVerdict } from '../terminal/login-text.js';
import { printable } from '../terminal/screen.js';

const CANNOT_LOG_IN = 4;

/** Explains what one client, named `provider/client id`, may do with Consul. */
export function explainClient(sides: BothSides, name: string, cli: Cli, isJson: boolean): void {
  const { world, areOrdersKnown } = sides;
  const slash = name.indexOf('/');
  const id = { provider: name.slice(0, slash), clientId: name.slice(slash + 1) };
  const found = clientLogin(sides, id, systemClock.now());
  if (found === undefined) {
    const providers = world.mapping.providers.join(', ');
    const message = `no provider has the client ${name}; write PROVIDER/CLIENT-ID with one of these providers: ${providers}`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false });
  }
  const view = toLoginView(found);
  const { mayLogIn, isMade } = loginDocument(view);
  if (isJson) cli.screen.json({ ...loginDocument(view), areOrdersKnown });
  else {
    const { colors } = cli.screen;
    const verdict = loginVerdict(view.login !== undefined, isMade, cli.screen);
    cli.screen.line(`${verdict}  ${colors.bold(printable(`${name} (${view.client.actorKind})`))}`);
    cli.screen.line();
    const orders = areOrdersKnown ? [] : [['orders', ORDERS_UNKNOWN] as const];
    for (const [fact, text] of [...loginFacts(view), ...orders])
      cli.screen.line(`  ${fact.padEnd(10)} ${printable(text)}`);
  }
  if (!mayLogIn) cli.exit(CANNOT_LOG_IN);
}
