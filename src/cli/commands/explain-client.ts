import { clientLogin } from '../../acl/state/client-logins.js';
import { systemClock } from '../../clock.js';
import type { Cli } from '../cli.js';
import { findClientId } from '../client-id.js';
import type { CurrentState } from '../load-current-state.js';
import { loginDocument, toLoginView } from '../login-view.js';
import { ORDERS_UNKNOWN } from '../terminal/explain-text.js';
import { loginFacts, loginVerdict } from '../terminal/login-text.js';
import { printable } from '../terminal/screen.js';

const CANNOT_LOG_IN = 4;

/** Explains what one client, named as `findClientId` reads it, may do with Consul. */
export function explainClient(sides: CurrentState, text: string, cli: Cli, isJson: boolean): void {
  const { world, areOrdersKnown } = sides;
  const id = findClientId(world, text);
  const name = `${id.provider}/${id.clientId}`;
  const found = clientLogin(sides, id, systemClock.now());
  if (found === undefined) return;
  const view = toLoginView(found, world.mapping);
  const { mayLogIn, isMade } = loginDocument(view);
  if (isJson) cli.screen.json({ ...loginDocument(view), areOrdersKnown });
  else {
    const { colors } = cli.screen;
    const verdict = loginVerdict(view.login !== undefined, isMade, cli.screen, view.login?.proof);
    cli.screen.line(`${verdict}  ${colors.bold(printable(`${name} (${view.client.actorKind})`))}`);
    cli.screen.line();
    const orders = areOrdersKnown ? [] : [['orders', ORDERS_UNKNOWN] as const];
    for (const [fact, text] of [...loginFacts(view), ...orders])
      cli.screen.line(`  ${fact.padEnd(10)} ${printable(text)}`);
  }
  if (!mayLogIn) cli.exit(CANNOT_LOG_IN);
}
