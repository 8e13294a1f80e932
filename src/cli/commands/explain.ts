import { InvalidArgumentError } from 'commander';
import type { Config } from '../../../config/config.js';
import { clientLogin } from '../../acl/state/client-logins.js';
import { findClientId } from '../../app/client-id.js';
import {
  type CallConditions,
  consulAccess,
  explainCall,
  explainDocument,
  lookAtCall,
} from '../../app/explain-call.js';
import { hasDecisionLog } from '../../app/has-decision-log.js';
import { loginDocument, toLoginView } from '../../app/login-view.js';
import { remains } from '../../app/remains.js';
import { systemClock } from '../../clock.js';
import { configError, messageOf } from '../../errors.js';
import type { Decision } from '../../model/decision.js';
import { definedFields } from '../../model/defined-fields.js';
import type { ServiceName } from '../../model/intention.js';
import { destinationKey, formatKey } from '../../model/key.js';
import { type Explanation, isAllowed } from '../../plan/explain.js';
import { type Change, intentionSubject } from '../../plan/plan.js';
import { planFleet } from '../../state/fleet.js';
import { type CallAnswer, callAt } from '../../trail/call-at.js';
import type { Cli } from '../cli.js';
import { defineCommand, flag, option, optionalArgument } from '../command.js';
import { parsePastInstant } from '../instant.js';
import { type CurrentState, withCurrentState } from '../load-current-state.js';
import { readDecisions } from '../read-decision-log.js';
import { ORDERS_UNKNOWN, printExplanation } from '../terminal/explain-text.js';
import { loginFacts, loginVerdict, printFacts } from '../terminal/login-text.js';
import { printable } from '../terminal/screen.js';
import { printEdge, printLimits } from '../terminal/trail-text.js';
import { learnUnrecorded, touchingMarked } from '../unrecorded-edges.js';
import { withTrail } from '../with-trail.js';
import { personFacts, personView } from './explain-person.js';

/** The log may be long, and the rest of the answer does not need it. */
const LOG_TIMEOUT_MS = 5_000;

/** An answer, and how it is printed. */
interface Answer {
  readonly document: object;
  readonly isAllowed: boolean;
  readonly print: (cli: Cli) => void;
}

export const explain = defineCommand({
  name: 'explain',
  summary: 'explain why a call is allowed or not, and whether it arrives',
  description:
    'Shows whether Consul lets SOURCE call DESTINATION now, which intention decides, and the claim, client, scopes ' +
    'and rules behind it, with holds and pending changes. Shows too whether the call arrives: whether SOURCE has a sidecar ' +
    'with an upstream of DESTINATION, or is a gateway with a route to it, the protocols agree, a resolver, splitter or ' +
    'router sends the calls elsewhere, and DESTINATION or its gateway has passing endpoints. "mend" is the first thing to ' +
    'do; a printed registration keeps what the catalog has of the instance, with its claim. Of another datacenter or a ' +
    'peer it knows only the mesh gateways of this datacenter. If the client may log in to Consul, shows the auth method, ' +
    'the lifetime and the permissions.',
  takes: {
    source: optionalArgument('the calling service'),
    destination: optionalArgument('the called service'),
    client: option(
      '<client-id>',
      'explain what one OAuth client may do with Consul instead; PROVIDER/CLIENT-ID if several providers have it',
    ),
    person: option(
      '<provider/subject>',
      'explain what one person may do with Consul because of their groups instead',
    ),
    method: option('<method>', 'explain one HTTP request; needs --path', parseMethod),
    path: option('<path>', 'the path of the request; without --method it is a GET', parsePath),
    at: option(
      '<when>',
      'answer for a past instant (2026-01-31T12:00:00Z) or age (2h, 30d), from the decision log',
      parsePastInstant,
    ),
    fromTopic: flag('with --at: read the whole Kafka topic first'),
  },
  json: 'print one JSON document',
  exit: `0 if the call is allowed (without --path: if any request is allowed), or if the client
or person may log in now; 4 if not, even if a login is planned (scopemesh plan); 1 on error.`,
  examples: [
    'scopemesh explain web orders',
    'scopemesh explain web orders --method POST --path /v1/orders/7',
    'scopemesh explain web orders --at 2026-01-31T12:00:00Z',
    "scopemesh explain web orders --json | jq '.verdict, .arrives, .mend'",
    'scopemesh explain --client web-app',
    'scopemesh explain --person main/7d1f0c2e-5a35-4b8f-9a55-0f3c5b1f6a10',
  ],
  faultOf({ source, destination, client, person, method, path, at }) {
    const isLogin = client !== undefined || person !== undefined;
    if (at !== undefined && isLogin) return '--at takes a source and a destination; see what-can --at';
    const isOne = (client === undefined) !== (person === undefined) && source === undefined;
    const isCall = !isLogin && source !== undefined && destination !== undefined;
    if (!isOne && !isCall) return 'give a source and a destination, or --client, or --person';
    return isCall && method !== undefined && path === undefined ? '--method needs --path' : undefined;
  },
  async ask(
    { source = '', destination = '', client, person, method, path, at, fromTopic },
    cli,
  ): Promise<Answer> {
    if (at !== undefined) return explainAt({ source, destination, method, path, at, fromTopic }, cli);
    return withCurrentState(cli, async (sides) => {
      if (client !== undefined) return explainClient(sides, client);
      if (person !== undefined) return explainPerson(sides, person);
      const explanation = await judge(sides, { source, destination, method, path }, cli);
      const subject = intentionSubject(explanation.destination, source);
      const conditions = {
        ...(await lookAtCall(sides, explanation, sides.areOrdersKnown, cli.signal)),
        ...(await lastDecisions(sides.config, subject, cli)),
      };
      const access = consulAccess(sides, explanation, systemClock.now());
      return {
        document: explainDocument(explanation, conditions, access),
        isAllowed: isAllowed(explanation.verdict),
        print: ({ screen }) =>
          printExplanation(explanation, conditions, access === null ? [] : loginFacts(access), screen),
      };
    });
  },
  document: ({ document }) => document,
  print: ({ print }, cli) => print(cli),
  status: (answer) => (answer.isAllowed ? 0 : NOT_ALLOWED),
});

/** Learns from the daemon, or from the log, what of the plan has no record. */
async function judge(
  sides: CurrentState,
  call: Parameters<typeof explainCall>[1],
  cli: Cli,
): Promise<Explanation> {
  const { world, window } = sides;
  const now = systemClock.now();
  const planOf = async ({ name, namespace, partition }: ServiceName) => {
    const key = formatKey(destinationKey(name, namespace, partition));
    const planHere = () => planFleet(world, window, now).find((each) => formatKey(each.key) === key);
    const plan = planHere();
    const isHere = ({ resource }: Pick<Change, 'resource'>) => resource.source === call.source;
    const touching = plan === undefined ? [] : touchingMarked(plan).filter(isHere);
    return (await learnUnrecorded(sides, touching, cli)) ? planHere() : plan;
  };
  return explainCall(sides, call, planOf, now, cli.signal);
}

/** The last decision, and the last that changed the edge, if the log can be read within a few seconds; otherwise why not. */
async function lastDecisions(
  config: Config,
  subject: string,
  cli: Cli,
): Promise<Pick<CallConditions, 'lastDecision' | 'lastChange' | 'logTrouble'>> {
  if (!hasDecisionLog(config)) return {};
  const timeout = AbortSignal.timeout(LOG_TIMEOUT_MS);
  let last: Decision | undefined;
  let change: Decision | undefined;
  try {
    const stop = AbortSignal.any([cli.signal, timeout]);
    for await (const decision of readDecisions(config, cli, { from: 'start', follow: false }, stop))
      if (decision.subject === subject) {
        last = decision;
        if (decision.outcome === 'applied' && decision.action !== 'none') change = decision;
      }
    const logTrouble = timeout.aborted ? { logTrouble: 'it is too long' } : {};
    return { ...definedFields({ lastDecision: last, lastChange: change }), ...logTrouble };
  } catch (error) {
    cli.signal.throwIfAborted();
    return { logTrouble: timeout.aborted ? 'it did not answer in time' : messageOf(error) };
  }
}

function parseMethod(text: string): string {
  if (!/^[A-Za-z]{1,20}$/.test(text)) throw new InvalidArgumentError('write an HTTP method such as GET.');
  return text.toUpperCase();
}

function parsePath(text: string): string {
  if (!text.startsWith('/'))
    throw new InvalidArgumentError('write a path that begins with /, such as /v1/orders.');
  return text;
}

const NOT_ALLOWED = 4;

/** Whether a call was allowed at a past instant, from the decision log. */
async function explainAt(
  call: {
    readonly source: string;
    readonly destination: string;
    readonly method: string | undefined;
    readonly path: string | undefined;
    readonly at: string;
    readonly fromTopic: true | undefined;
  },
  cli: Cli,
): Promise<Answer> {
  const { source, destination, method = 'GET', path, at } = call;
  const request = path === undefined ? undefined : { method, path };
  const answer = await withTrail(cli, call, (trail) => callAt(trail, { source, destination, request }, at));
  const allowed = isAllowed(answer.verdict);
  return { document: { allowed, ...answer }, isAllowed: allowed, print: (to) => print(answer, to) };
}

const WORDS: Readonly<Record<CallAnswer['verdict'], string>> = {
  allowed: 'ALLOWED',
  partly: 'ALLOWED for some requests',
  'with-token': "ALLOWED with a user's token",
  denied: 'NOT ALLOWED by scopemesh',
  unclear: 'UNCLEAR',
};

function print(answer: CallAnswer, { screen }: Cli): void {
  const { edge, verdict, source, destination } = answer;
  screen.line(screen.colors.bold(printable(`${source} -> ${destination}: ${WORDS[verdict]}`)));
  if (edge === undefined) screen.line('the log has no decision about this pair');
  else {
    printEdge(edge, screen);
    for (const { text } of remains(edge.residual ?? {}, edge.decision.time))
      screen.text(`    remains  ${text}`);
    screen.text(`    mapping  ${edge.mappingRevision}`);
  }
  printLimits(answer, screen);
}

/** Explains what one client, named as `findClientId` reads it, may do with Consul. */
function explainClient(sides: CurrentState, text: string): Answer {
  const { world, areOrdersKnown } = sides;
  const id = findClientId(world, text);
  const found = clientLogin(sides, id, systemClock.now());
  if (found === undefined) throw configError(`no provider has the client ${text}`);
  const view = toLoginView(found, world.mapping);
  const document = loginDocument(view);
  const { mayLogIn, isMade } = document;
  const name = `${id.provider}/${id.clientId} (${view.client.actorKind})`;
  const orders = areOrdersKnown ? [] : [['orders', ORDERS_UNKNOWN] as const];
  return {
    document: { ...document, areOrdersKnown },
    isAllowed: mayLogIn,
    print({ screen }) {
      const verdict = loginVerdict(view.login !== undefined, isMade, screen, view.login?.proof);
      printFacts(verdict, name, [...loginFacts(view), ...orders], screen);
    },
  };
}

function explainPerson(sides: CurrentState, name: string): Answer {
  const view = personView(sides, name);
  return {
    document: view,
    isAllowed: view.mayLogIn,
    print({ screen }) {
      const verdict = loginVerdict(view.login !== null, view.isMade, screen);
      printFacts(verdict, `${name} (human)`, personFacts(view), screen);
    },
  };
}
