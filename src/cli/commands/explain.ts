import { InvalidArgumentError } from 'commander';
import type { Config } from '../../../config/config.js';
import { clientLogin } from '../../acl/state/client-logins.js';
import { findClientId } from '../../app/client-id.js';
import { hasDecisionLog } from '../../app/has-decision-log.js';
import { type LoginView, loginDocument, toLoginView } from '../../app/login-view.js';
import { changeView, holdView } from '../../app/plan-view.js';
import { systemClock } from '../../clock.js';
import { toCloudEvent } from '../../decisions/envelope.js';
import { toPlainValue } from '../../decisions/plain-value.js';
import { configError, messageOf } from '../../errors.js';
import type { Decision } from '../../model/decision.js';
import { definedFields } from '../../model/defined-fields.js';
import type { ServiceName } from '../../model/intention.js';
import { destinationKey, formatKey } from '../../model/key.js';
import { type Explanation, explain, isAllowed } from '../../plan/explain.js';
import { type Change, intentionSubject } from '../../plan/plan.js';
import { arrivalOf } from '../../plan/reach.js';
import { unreadableHoldOf } from '../../plan/unreadable-holds.js';
import { serviceText } from '../../plan/world.js';
import { planClaims } from '../../state/client-claims.js';
import { inputOf, planFleet } from '../../state/fleet.js';
import { isKnownService } from '../../state/known-services.js';
import { type CallAnswer, callAt } from '../../trail/call-at.js';
import type { Cli } from '../cli.js';
import type { DocumentedCommand } from '../documented-command.js';
import { firstToMend } from '../first-to-mend.js';
import { parsePastInstant } from '../instant.js';
import { noSuchName } from '../known-names.js';
import { type CurrentState, withCurrentState } from '../load-current-state.js';
import { reportReach } from '../reach-of-plan.js';
import { readDecisions } from '../read-decision-log.js';
import { type CallConditions, ORDERS_UNKNOWN, printExplanation } from '../terminal/explain-text.js';
import { loginFacts, loginVerdict } from '../terminal/login-text.js';
import { residualTexts } from '../terminal/residual-text.js';
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
or person may log in now; 4 if not, also if the login is only planned (scopemesh plan); 1 on error.

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
          const conditions = await look(sides, explanation, cli);
          const access = consulAccess(sides, explanation);
          if (options.json)
            cli.screen.json({
              ...toDocument(explanation, conditions),
              consulAccess: access && loginDocument(access),
            });
          else
            printExplanation(explanation, conditions, access === null ? [] : loginFacts(access), cli.screen);
          if (!isAllowed(explanation.verdict)) cli.exit(NOT_ALLOWED);
        });
      },
    );
}

async function judge(
  sides: CurrentState,
  sourceName: string,
  destinationName: string,
  options: Options,
  cli: Cli,
): Promise<Explanation> {
  const { config, world, window, consul } = sides;
  const partition = config.consul.partition ?? 'default';
  const namespace = config.consul.namespace ?? 'default';
  const source: ServiceName = { partition, namespace, name: sourceName };
  const destination: ServiceName = { partition, namespace, name: destinationName };
  if (world.mapping.select?.hasService(destination) === false)
    throw configError(`${printable(destinationName)} is outside select; ask the instance that manages it`);
  for (const each of [source, destination])
    if (!isKnownService(world, each.name) && !(await hasRouting(each, sides, cli.signal)))
      throw noSuchName(each.name, 'service');
  const now = systemClock.now();
  const { defaultPolicy } = await consul.inspect(cli.signal);
  const key = destinationKey(destinationName, namespace, partition);
  const planHere = () => planFleet(world, window, now).find((each) => formatKey(each.key) === formatKey(key));
  let plan = planHere();
  const isHere = ({ resource }: Pick<Change, 'resource'>) => resource.source === sourceName;
  const touching = plan === undefined ? [] : touchingMarked(plan).filter(isHere);
  if (await learnUnrecorded(sides, touching, cli)) plan = planHere();
  const claim = [...world.claimStatuses(now).values()].find(({ service }) => service.name === sourceName);
  const client = claim === undefined || claim.kind === 'none' ? undefined : claim.client;
  const { method, path } = options;
  return explain({
    source,
    request: path === undefined ? undefined : { method: method ?? 'GET', path },
    defaultPolicy,
    input: inputOf(world, destination, now),
    plan: plan ?? { key, changes: [], holds: [] },
    claimHolds: client === undefined ? [] : planClaims(client, world, now).holds,
    unreadable: client && unreadableHoldOf(client, world.directories.unreadableOf(client.provider)),
  });
}

/** Whether a config entry gives the name a meaning although nothing is registered by it. */
async function hasRouting(
  serviceName: ServiceName,
  { consul }: CurrentState,
  signal: AbortSignal,
): Promise<boolean> {
  const [routes = []] = await consul.reachability.readRoutes([serviceName], signal);
  if (routes.length > 0) return true;
  const gateways = await consul.reachability.readGateways('terminating-gateway', serviceName, signal);
  return gateways.some((each) => each.routes.some(({ service }) => service === serviceName.name));
}

/** What the client of the source may do with Consul; null if that is nothing and no hold or limit explains it. */
function consulAccess(sides: CurrentState, { client }: Explanation): LoginView | null {
  const found = client && clientLogin(sides, client, systemClock.now());
  if (found === undefined) return null;
  const view = toLoginView(found, sides.world.mapping);
  const isNothing = view.login === undefined && view.holds.length + view.limited.length === 0;
  return isNothing && view.standingTtlSeconds === undefined ? null : view;
}

async function look(
  { config, world, consul, areOrdersKnown }: CurrentState,
  { source, destination }: Explanation,
  cli: Cli,
): Promise<CallConditions> {
  const inCatalog = (name: string) =>
    world.view(0).catalog?.services.some((each) => each.name.name === name && each.instances.length > 0) ??
    false;
  const { edges, behind, trouble } = await reportReach(
    [{ source, destination }],
    1,
    consul,
    world,
    cli.signal,
  );
  const obstacles = edges.flatMap((each) => each.obstacles);
  return {
    isSourceKnown: inCatalog(source.name),
    isDestinationKnown: inCatalog(destination.name) || behind.length > 0,
    arrives: trouble === undefined ? arrivalOf(obstacles) : 'unknown',
    ...(trouble === undefined ? {} : { arrivesTrouble: trouble }),
    obstacles,
    behind: behind.flatMap(({ gateways }) => gateways),
    isUnsynced:
      consul.manifests?.unsynced().some((each) => serviceText(each) === serviceText(destination)) ?? false,
    mode: config.mode,
    areOrdersKnown,
    ...(await lastDecisions(config, intentionSubject(destination, source.name), cli)),
  };
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

function toDocument(explanation: Explanation, conditions: CallConditions) {
  const { holds, pending, candidates, openings, request, source, destination, claim, ...rest } = explanation;
  const { lastDecision: last, lastChange: change, isUnsynced, ...around } = conditions;
  const { service: _, ...claimStatus } = claim;
  return {
    allowed: isAllowed(explanation.verdict),
    verdict: rest.verdict,
    source: source.name,
    destination: destination.name,
    request: request ?? null,
    decidedBy: toPlainValue(candidates[0]) ?? { precedence: 0, defaultPolicy: rest.defaultPolicy },
    intentions: toPlainValue(candidates),
    defaultPolicy: rest.defaultPolicy,
    claim: claimStatus,
    client: rest.client ?? null,
    openings: toPlainValue(openings),
    wanted: toPlainValue(rest.desired) ?? null,
    denied: explanation.denied ?? null,
    breakGlass: explanation.breakGlass,
    holds: holds.map(holdView),
    pending: pending === undefined ? null : changeView(pending),
    ...around,
    mend: firstToMend(explanation, around.obstacles) ?? null,
    ...(isUnsynced ? { isUnsynced } : {}),
    lastDecision: last === undefined ? null : toCloudEvent(last),
    lastChange: change === undefined ? null : toCloudEvent(change),
  };
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
    for (const text of residualTexts(edge.residual ?? {})) screen.line(printable(`    remains  ${text}`));
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
