import type { Proof } from '../../acl/plan/desired-client.js';
import { type LoginView, loginCommand } from '../../app/login-view.js';
import { claimText } from '../../app/token-claims.js';
import type { Hold } from '../../plan/plan.js';
import { durationText } from './duration-text.js';
import { printable, type Screen } from './screen.js';

/** Whether somebody may log in to Consul. `isMade`: Consul has the ACL objects that the plan gives them. */
export function loginVerdict(
  mayEver: boolean,
  isMade: boolean,
  { colors }: Screen,
  proof: Proof = 'any',
): string {
  const may = proof === 'delegated' ? 'may log in for a person only' : 'may log in';
  if (!mayEver) return colors.red('cannot log in');
  return isMade
    ? colors.green(may)
    : colors.yellow(`${may} once Consul has the auth method: see scopemesh plan`);
}

/** What somebody may do with Consul, each fact with its name. */
export function printFacts(
  verdict: string,
  about: string,
  facts: Iterable<readonly [name: string, text: string]>,
  screen: Screen,
): void {
  screen.line(`${verdict}  ${screen.colors.bold(printable(about))}`);
  screen.line();
  for (const [name, text] of facts) screen.text(`  ${name.padEnd(10)} ${text}`);
}

/** Facts about a client's access to Consul, each a name and a line. */
export function* loginFacts({
  login,
  limited,
  holds,
  client,
  barred,
  standingTtlSeconds,
}: LoginView): Iterable<readonly [name: string, text: string]> {
  if (login === undefined)
    yield [
      'consul',
      standingTtlSeconds !== undefined
        ? 'must not log in any more, but Consul still has its auth method; see scopemesh plan'
        : `cannot log in: ${barred === undefined ? refusedText(limited, holds) : BARRED[barred]}`,
    ];
  else {
    const as =
      login.serviceIdentities.length === 0 ? '' : ` as service ${login.serviceIdentities.join(', ')}`;
    const ttl = durationText(login.maxTokenTtlSeconds);
    yield ['consul', `may log in${as}, for at most ${ttl}, by auth method ${login.authMethod}`];
    if (login.unregisteredServices.length > 0) yield ['', firstLoginText(login.unregisteredServices)];
    yield ['login', loginCommand(login.authMethod)];
    yield ['token', `the access token must meet all of these conditions${PROOFS[login.proof]}:`];
    for (const claim of login.tokenClaims) yield ['', claimText(claim)];
    yield ['role', login.role];
    for (const { name, rules } of login.policies) yield ['policy', `${name}: ${rules}`];
    yield ['may', login.can.join('; ')];
    if (standingTtlSeconds === undefined)
      yield ['note', 'Consul does not have the auth method yet; see scopemesh plan'];
    else if (standingTtlSeconds !== login.maxTokenTtlSeconds)
      yield [
        'note',
        `Consul still gives tokens that last ${durationText(standingTtlSeconds)}; see scopemesh plan`,
      ];
  }
  if (limited.length > 0) yield ['limited', `may not use as ${client.actorKind}: ${limited.join(' ')}`];
  for (const hold of holds) yield ['held', holdText(hold)];
}

const PROOFS: Readonly<Record<Proof, string>> = {
  any: '',
  own: ', which show that the client obtained it for itself',
  delegated: ', which show that the client acts for a person',
};

function firstLoginText(services: readonly string[]): string {
  const names = services.join(', ');
  return `no instance of ${names} is registered: the client names it at the identity provider, and edges open once an instance claims the client`;
}

/** Why an enabled client gets no login. */
function refusedText(limited: readonly string[], holds: readonly Hold[]): string {
  if (holds.length > 0) return 'everything that would give it access to Consul is held';
  return limited.length > 0
    ? 'its actor kind may not use the scopes that would give it access to Consul'
    : 'no acl: rule gives it access to Consul; with login: on a claim that counts, or a service that it names, would';
}

const BARRED: Readonly<Record<NonNullable<LoginView['barred']>, string>> = {
  disabled: 'the client is disabled at the identity provider',
  ClientQuarantined: 'its secret was reported as compromised (ClientQuarantined)',
  RevocationUnconfirmed:
    'an event reported it as disabled or deleted, and its directory does not answer (RevocationUnconfirmed)',
};

function holdText({ reason, scopes, detail }: Hold): string {
  return `${[reason, ...scopes].join(' ')}: ${detail}`;
}
