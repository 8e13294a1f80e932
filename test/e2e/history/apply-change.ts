import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../stack/process.js';
import type { Change, HandMade } from './changes.js';
import type { Answer, Entry, Source } from './consul-api.js';
import { hostOf, instanceId, registrationOf } from './registration.js';
import type { Side } from './side.js';
import { clientBody, clientOf, GRACE_PROBE, MARK, PROBE_TARGET } from './world.js';

/** Somewhat longer than it is between two looks of the daemon for graces that ended. */
const LOOK_FOR_GRACES_MS = 1_400;

type ChangeOf<K extends Change['kind']> = Extract<Change, { kind: K }>;

const INTENTIONS = '/v1/config/service-intentions';
const DEFAULTS = '/v1/config/service-defaults';
const SERVICES = '/v1/catalog/services';

/** Makes the change and resolves with what the server said to it, once the daemon has seen and settled it. */
export async function applyChange(change: Change, side: Side): Promise<string> {
  const said = await make(change, side);
  await side.quiet();
  return said;
}

function make(change: Change, side: Side): Promise<string> {
  const { manage } = side;
  const send = async (method: string, path: string, body?: unknown) =>
    String(await manage(method, path, body));
  switch (change.kind) {
    case 'grant':
    case 'revoke': {
      const path = `/clients/${change.client}/scopes/${encodeURIComponent(change.scope)}`;
      return send(change.kind === 'grant' ? 'POST' : 'DELETE', path);
    }
    case 'disable':
    case 'enable':
      return send('PATCH', `/clients/${change.client}`, { enabled: change.kind === 'enable' });
    case 'delete':
      return send('DELETE', `/clients/${change.client}`);
    case 'create':
      return send('PUT', `/clients/${clientOf(change.service)}`, clientBody(change.service, change.scopes));
    case 'attribute':
      return send('PATCH', `/clients/${change.client}`, { attributes: { [change.name]: change.value } });
    case 'compromise':
      return send('POST', `/clients/${change.client}/compromised`);
    case 'rotate':
      return send('POST', `/clients/${change.client}/secret`);
    case 'register':
      return inCatalog(side, () => {
        const { service, instance, claim, asTag } = change;
        return side.consul.request(
          'PUT',
          '/v1/catalog/register',
          registrationOf(service, instance, { claim, asTag }),
        );
      });
    case 'deregister':
      return deregister(change, side);
    case 'drift':
      return drift(change, side);
    case 'foreign':
      return foreign(change, side);
    case 'tidy':
      return tidy(change, side);
    case 'managed':
      return managed(change, side);
    case 'protocol':
      return speak(change, side);
  }
}

/** A change of registrations; resolves once the daemon's watch has seen it. */
async function inCatalog(side: Side, act: () => Promise<Answer>): Promise<string> {
  const index = async () => (await side.consul.request('GET', SERVICES)).index;
  const before = await index();
  const answer = await act();
  const after = await index();
  if (after !== before) await untilSeen(side, SERVICES, after);
  return toText(answer);
}

/** A change of intentions by hand; resolves once the daemon's watch has seen it. */
async function inIntentions(side: Side, act: () => Promise<Answer>): Promise<string> {
  const index = async () => (await side.consul.request('GET', INTENTIONS)).index;
  const before = await index();
  const answer = await act();
  const after = await index();
  if (after !== before) await untilSeen(side, INTENTIONS, after);
  return toText(answer);
}

function untilSeen(side: Side, path: string, index: number): Promise<true> {
  return until(`the watch of ${path} sees ${index}`, () => side.gate.seen(path) >= index || undefined, {
    intervalMs: 2,
    process: side.daemon.process,
  }).catch((error: unknown) => {
    throw new Error(`the daemon saw ${side.gate.seen(path)} of ${path}, not ${index}`, { cause: error });
  });
}

async function deregister(change: ChangeOf<'deregister'>, side: Side): Promise<string> {
  const { service, instance, isLast } = change;
  const remove = (node: string, id?: string) =>
    side.consul.request('PUT', '/v1/catalog/deregister', {
      Node: node,
      ...(id === undefined ? {} : { ServiceID: id }),
    });
  if (!isLast) return inCatalog(side, () => remove(hostOf(service), instanceId(service, instance)));

  // With its machine, on which the probe is registered: both go at one index, and their grace ends in one look.
  const put = (host?: string) =>
    side.consul.request(
      'PUT',
      '/v1/catalog/register',
      registrationOf(GRACE_PROBE, 1, host === undefined ? {} : { host }),
    );
  await inCatalog(side, async () => {
    await put(hostOf(service));
    return remove(hostOf(GRACE_PROBE));
  });
  await side.quiet();
  const said = await inCatalog(side, () => remove(hostOf(service)));
  await until('the end of the grace is seen', () => isProbeJudged(side), {
    intervalMs: 10,
    timeoutMs: 15_000,
  }).catch(async (error: unknown) => {
    const now = [await side.daemon.status(), await side.consul.entry(PROBE_TARGET), side.gate.recent];
    throw new Error(`the end of the grace is not seen: ${JSON.stringify(now)}`, { cause: error });
  });
  await side.quiet();
  await inCatalog(side, () => put());
  // With that read the service's claim is forgotten. The next look for graces sees it once more and sends what still
  // names the service to be planned, with a cause of its own; nothing else tells that the look is over.
  await delay(LOOK_FOR_GRACES_MS);
  return said;
}

/** Closed, or held by the mass guard. */
async function isProbeJudged({ consul, daemon }: Side): Promise<boolean> {
  const source = (await consul.entry(PROBE_TARGET))?.Sources.find(({ Name }) => Name === GRACE_PROBE);
  if (source === undefined || source.Action === 'deny') return true;
  const { holds } = await daemon.status();
  return holds.some(({ subject }) => subject.endsWith(`/${PROBE_TARGET}/${GRACE_PROBE}`));
}

async function drift(change: ChangeOf<'drift'>, side: Side): Promise<string> {
  const owned = (await entriesOf(side)).flatMap((entry) =>
    entry.Sources.filter((source) => isMarked(source)).map((source) => ({
      entry,
      source,
    })),
  );
  const found = owned[change.nth % owned.length];
  if (found === undefined) return 'nothing there';
  const { entry, source } = found;
  const plain = (Action: string): Source => ({
    Name: source.Name,
    Description: source.Description,
    Action,
  });
  const drifted = (): readonly Source[] => {
    switch (change.form) {
      case 'flip':
        return [plain(source.Action === 'deny' ? 'allow' : 'deny')];
      case 'widen':
        return [plain('allow')];
      case 'unmark':
        return [{ ...source, Description: 'rewritten by a script' }];
      case 'remove':
        return [];
    }
  };
  const Sources = entry.Sources.flatMap((each) => (each === source ? drifted() : [each]));
  return inIntentions(side, () => side.consul.write({ ...entry, Sources }));
}

async function foreign(change: ChangeOf<'foreign'>, side: Side): Promise<string> {
  const { destination, source, form } = change;
  const entry = (await side.consul.entry(destination)) ?? newEntry(destination);
  const others = entry.Sources.filter(({ Name }) => Name !== source);
  if (form === 'gone') {
    const existing = entry.Sources.find(({ Name }) => Name === source);
    if (existing === undefined || isMarked(existing)) return 'nothing there';
    return inIntentions(side, () => side.consul.write({ ...entry, Sources: others }));
  }
  const Sources = [...others, { Name: source, Description: 'made by hand', ...contentOf(form) }];
  return inIntentions(side, () => side.consul.write({ ...entry, Sources }));
}

/** Takes away what is not scopemesh's, what lost its mark too. */
async function tidy(change: ChangeOf<'tidy'>, side: Side): Promise<string> {
  const foreign = (await entriesOf(side)).flatMap((entry) =>
    entry.Sources.filter((source) => !isMarked(source)).map((source) => ({ entry, source })),
  );
  const found = foreign[change.nth % foreign.length];
  if (found === undefined) return 'nothing there';
  const { entry, source } = found;
  const Sources = entry.Sources.filter((each) => each !== source);
  return inIntentions(side, () => side.consul.write({ ...entry, Sources }));
}

async function managed(change: ChangeOf<'managed'>, side: Side): Promise<string> {
  const entries = await entriesOf(side);
  const entry = entries[change.nth % entries.length];
  if (entry === undefined) return 'nothing there';
  const Meta = change.isOn ? { 'external-source': 'kubernetes' } : {};
  return inIntentions(side, () => side.consul.write({ ...entry, Meta }));
}

async function speak(change: ChangeOf<'protocol'>, side: Side): Promise<string> {
  // A wake-up of the intentions' watch that is still under way would hide this one, until the next sweep.
  await untilOwnWritesSeen(side);
  const { service, protocol } = change;
  const read = async () => {
    const { status, text } = await side.consul.request('GET', `${DEFAULTS}/${service}`);
    return status === 404 ? 0 : Number(JSON.parse(text).ModifyIndex);
  };
  const before = await read();
  const body = { Kind: 'service-defaults', Name: service, Protocol: protocol };
  const answer = await side.consul.request('PUT', '/v1/config', body);
  const after = await read();
  if (after !== before) await untilSeen(side, DEFAULTS, after);
  return toText(answer);
}

const writesSeen = new WeakMap<Side, number>();

/** Where the last write of a config entry was the daemon's own, the index of the list is that write's. */
async function untilOwnWritesSeen(side: Side): Promise<void> {
  const writes = side.gate.intentionWrites;
  if (writes === (writesSeen.get(side) ?? 0)) return;
  writesSeen.set(side, writes);
  await untilSeen(side, INTENTIONS, (await side.consul.request('GET', INTENTIONS)).index);
  await side.quiet();
}

/** All but the wildcard and what the probe needs, by name. */
async function entriesOf(side: Side): Promise<readonly Entry[]> {
  const entries = (await side.consul.entries()).filter(({ Name }) => Name !== '*' && Name !== PROBE_TARGET);
  return entries.toSorted((a, b) => (a.Name < b.Name ? -1 : 1));
}

function isMarked(source: Source): boolean {
  return String(source.Description).startsWith(MARK);
}

function newEntry(destination: string): Entry {
  return { Kind: 'service-intentions', Name: destination, Sources: [] };
}

function contentOf(form: HandMade): Readonly<Record<string, unknown>> {
  if (form !== 'http') return { Action: form };
  return {
    Permissions: [
      { Action: 'deny', HTTP: { PathExact: '/secret' } },
      {
        Action: 'allow',
        HTTP: { PathPrefix: '/v1', Methods: ['GET'], Header: [{ Name: 'x-by', Present: true }] },
      },
    ],
  };
}

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

function toText({ status, text }: Answer): string {
  return `${status} ${text.replace(UUID, 'ID')}`;
}
