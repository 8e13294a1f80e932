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
import { messageOf } from '../../errors.js';
import type { Decision } from '../../model/decision.js';
import { definedFields } from '../../model/defined-fields.js';
import type { ServiceName } from '../../model/intention.js';
import { destinationKey, formatKey } from '../../model/key.js';
import { type Explanation, isAllowed } from '../../plan/explain.js';
import { type Change, intentionSubject } from '../../plan/plan.js';
import { planFleet } from '../../state/fleet.js';
import { type CallAnswer, callAt } from '../../trail/call-at.js';
import type { Cli } from '../cli.js';
import type { DocumentedCommand } from '../documented-command.js';
import { parsePastInstant } from '../instant.js';
import { type CurrentState, withCurrentState } from '../load-current-state.js';
import { readDecisions } from '../read-decision-log.js';
import { ORDERS_UNKNOWN, printExplanation } from '../terminal/explain-text.js';
import { loginFacts, loginVerdict } from '../terminal/login-text.js';
import { printable } from '../terminal/screen.js';
import { printEdge, printLimits } from '../terminal/trail-text.js';
import { learnUnrecorded, touchingMarked } from '../unrecorded-edges.js';
import { withTrail } from '../with-trail.js';
import { explainPerson } from './explain-person.js';

/** The log may be long, and the rest of the answer does not need it. */
const LOG_TIMEOUT_MS = 5_000;

interface Options {
  readonly client?: string;
  readonly person?: string;
  readonly method?: string;
  readonly path?: string;
  readonly at?: string;
  readonly fromTopic?: true;
  readonly json?: true;
}

export function addExplain(program: DocumentedCommand, cli: Cli): void {
  program
    .command('explain')
    .summary('explain why a call is allowed or not, and whether it arrives')
    .description(
      'Shows whether Consul lets SOURCE call DESTINATION now, which intention decides, and the claim, client, scopes ' +
        'and rules behind it, with holds and pending changes. Shows too whether the call arrives: whether SOURCE has a sidecar ' +
        'with an upstream of DESTINATION, or is a gateway with a route to it, the protocols agree, a resolver, splitter or ' +
        'router sends the calls elsewhere, and DESTINATION or its gateway has passing endpoints. "mend" is the first thing to ' +
        'do; a printed registration keeps what the catalog has of the instance, with its claim. Of another datacenter or a ' +
        'peer it knows only the mesh gateways of this datacenter. If the client may log in to Consul, shows the auth method, ' +
        'the lifetime and the permissions.',
    )
    .argument('[source]', 'the calling service')
    .argument('[destination]', 'the called service')
    .option(
      '--client <client-id>',
      'explain what one OAuth client may do with Consul instead; PROVIDER/CLIENT-ID if several providers have it',
    )
    .option(
      '--person <provider/subject>',
      'explain what one person may do with Consul because of their groups instead',
    )
    .option('--method <method>', 'explain one HTTP request; needs --path', parseMethod)
    .option('--path <path>', 'the path of the request; without --method it is a GET', parsePath)
    .option(
      '--at <when>',
      'answer for a past instant (2026-01-31T12:00:00Z) or age (2h, 30d), from the decision log',
      parsePastInstant,
    )
    .option('--from-topic', 'with --at: read the whole Kafka topic first')
    .option('--json', 'print one JSON document')
    .endHelp(`
Exit status: 0 if the call is allowed (without --path: if any request is allowed), or if the client
or person may log in now; 4 if not, even if a login is planned (scopemesh plan); 1 on error.

Examples:
  scopemesh explain web orders
  scopemesh explain web orders --method POST --path /v1/orders/7
  scopemesh explain web orders --at 2026-01-31T12:00:00Z
  scopemesh explain web orders --json | jq '.verdict, .arrives, .mend'
  scopemesh explain --client web-app
  scopemesh explain --person main/7d1f0c2e-5a35-4b8f-9a55-0f3c5b1f6a10`)
    .action(
      async (
        source: string | undefined,
        destination: string | undefined,
        options: Options,
        command: DocumentedCommand,
      ) => {
        const { client, person } = options;
        const isJson = options.json === true;
        const refuse = (text: string) => command.error(`error: ${text}`, { exitCode: 1 });
        if (options.at !== undefined && (client !== undefined || person !== undefined))
          return refuse('--at takes a source and a destination; see what-can --at');
        if (client !== undefined && source === undefined && person === undefined)
          return withCurrentState(cli, async (sides) => explainClient(sides, client, cli, isJson));
        if (person !== undefined && source === undefined && client === undefined)
          return withCurrentState(cli, async (sides) => explainPerson(sides, person, cli, isJson));
        if (client !== undefined || person !== undefined || source === undefined || destination === undefined)
          return refuse('give a source and a destination, or --client, or --person');
        if (options.method !== undefined && options.path === undefined)
          return refuse('--method needs --path');
        const { at } = options;
        if (at !== undefined) return explainAt({ ...options, source, destination, at }, cli);
        await withCurrentState(cli, async (sides) => {
          const explanation = await judge(sides, source, destination, options, cli);
          const subject = intentionSubject(explanation.destination, source);
          const conditions = {
            ...(await lookAtCall(sides, explanation, sides.areOrdersKnown, cli.signal)),
            ...(await lastDecisions(sides.config, subject, cli)),
          };
          const access = consulAccess(sides, explanation, systemClock.now());
          if (options.json) cli.screen.json(explainDocument(explanation, conditions, access));
          else
            printExplanation(explanation, conditions, access === null ? [] : loginFacts(access), cli.screen);
          if (!isAllowed(explanation.verdict)) cli.exit(NOT_ALLOWED);
        });
      },
    );
}

/** Learns from the daemon, or from the log, what of the plan has no record. */
async function judge(
  sides: CurrentState,
  source: string,
  destination: string,
  options: Options,
  cli: Cli,
): Promise<Explanation> {
  const { world, window } = sides;
  const now = systemClock.now();
  const planOf = async ({ name, namespace, partition }: ServiceName) => {
    const key = formatKey(destinationKey(name, namespace, partition));
    const planHere = () => planFleet(world, window, now).find((each) => formatKey(each.key) === key);
    const plan = planHere();
    const isHere = ({ resource }: Pick<Change, 'resource'>) => resource.source === source;
    const touching = plan === undefined ? [] : touchingMarked(plan).filter(isHere);
    return (await learnUnrecorded(sides, touching, cli)) ? planHere() : plan;
  };
  const { method, path } = options;
  return explainCall(sides, { source, destination, method, path }, planOf, now, cli.signal);
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
    readonly method?: string | undefined;
    readonly path?: string | undefined;
    readonly at: string;
    readonly fromTopic?: true;
    readonly json?: true;
  },
  cli: Cli,
): Promise<void> {
  const { source, destination, method = 'GET', path, at } = call;
  const request = path === undefined ? undefined : { method, path };
  const answer = await withTrail(cli, call, (trail) => callAt(trail, { source, destination, request }, at));
  if (call.json) cli.screen.json({ allowed: isAllowed(answer.verdict), ...answer });
  else print(answer, cli);
  if (!isAllowed(answer.verdict)) cli.exit(NOT_ALLOWED);
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
      screen.line(printable(`    remains  ${text}`));
    screen.line(printable(`    mapping  ${edge.mappingRevision}`));
  }
  printLimits(answer, screen);
}

const CANNOT_LOG_IN = 4;

/** Explains what one client, named as `findClientId` reads it, may do with Consul. */
function explainClient(sides: CurrentState, text: string, cli: Cli, isJson: boolean): void {
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
