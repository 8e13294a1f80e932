import { ConfigResourceTypes } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { parseLogEvent } from '../../../src/decisions/log.js';
import type { Decision } from '../../../src/model/decision.js';
import { definedFields } from '../../../src/model/defined-fields.js';
import { readTopic } from '../../stack/kcat.js';
import { decision, edgeDecision } from '../../support/decisions.js';
import { judgeEvent } from '../../support/event-schemas.js';
import { createTopicWorld, type TopicWorld, useKafka } from '../../support/topic-world.js';

const { kafka, admin, deleteTopic } = useKafka();

const READ = { access: 'http', permissions: [{ methods: ['GET'], pathExact: '/v1/orders' }] };
const ALLOW = { access: 'allow' };

function edge(source: string, after: unknown, changes: Partial<Decision> = {}): Decision {
  const { time, client } = decision();
  return edgeDecision(source, time, null, after, { ...definedFields({ client }), ...changes });
}

const on = (world: TopicWorld, owner = 'payments') => ({
  state: { topic: `${world.topic}.state`, owner },
});

/** What a consumer that begins now reads: the newest record of each key, by the source of the edge, and the cursors. */
async function statesOf(world: TopicWorld) {
  const states = new Map<string, unknown>();
  const cursors = new Map<string, { sequence: number; offsets: Record<string, string> }>();
  for (const { key = '', value } of await readTopic(kafka().broker, `${world.topic}.state`)) {
    const event = value === '' ? undefined : JSON.parse(value);
    if (event !== undefined) expect([judgeEvent(event), event.subject]).toEqual([undefined, key]);
    const [kind, ...rest] = key.split('/');
    if (kind === 'cursor') cursors.set(rest.join('/'), event.data);
    else if (event === undefined) states.delete(key);
    else states.set(key, event.data);
  }
  return { states, cursors };
}

/** The same from the decisions alone. */
async function foldOf(
  world: TopicWorld,
): Promise<{ readonly edges: ReadonlyMap<string, unknown>; count: number }> {
  const edges = new Map<string, unknown>();
  const all = (await readTopic(kafka().broker, world.topic)).flatMap(
    ({ value }) => parseLogEvent(value) ?? [],
  );
  for (const { subject, resource, outcome, before, after, revision, chain } of all) {
    if (resource.kind !== 'intention' || (outcome !== 'applied' && outcome !== 'unknown')) continue;
    const place = { revision, chain: { log: chain?.log, sequence: chain?.sequence } };
    if (outcome === 'unknown') edges.set(subject, { ...place, access: before, possible: after });
    else if (after === null) edges.delete(subject);
    else edges.set(subject, { ...place, access: after });
  }
  return { edges, count: all.length };
}

async function expectComplete(world: TopicWorld): Promise<void> {
  const [{ states, cursors }, { edges, count }] = [await statesOf(world), await foldOf(world)];
  expect([...states.keys()].toSorted()).toEqual([...edges.keys()].toSorted());
  for (const [subject, state] of edges) expect(states.get(subject), subject).toMatchObject(Object(state));
  expect(cursors.get('payments')?.sequence).toBe(count);
}

/** Decisions over a few edges, and some that say nothing of an edge. */
function randomDecisions(count: number): Decision[] {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)] as T;
  return Array.from({ length: count }, () => {
    if (Math.random() < 0.2)
      return decision({ subject: 'acl-role/r', resource: { kind: 'acl-role', name: 'r' } });
    const outcome = pick(['applied', 'applied', 'applied', 'held', 'unknown', 'failed'] as const);
    const before = outcome === 'unknown' ? pick([READ, ALLOW]) : null;
    return edge(pick(['a', 'b', 'c', 'd', 'e', 'f']), pick([READ, ALLOW, { access: 'deny' }, null]), {
      outcome,
      before,
    });
  });
}

describe('the topic of states', () => {
  it('has the present state of each edge, is compacted, and says where the decisions go on', async () => {
    const world = createTopicWorld(kafka().broker);
    await world.publish([edge('web', ALLOW), edge('batch', READ), edge('bot', READ)], on(world));
    await world.publish(
      [
        edge('web', READ),
        edge('batch', null),
        edge('bot', null, { outcome: 'unknown', before: READ }),
        edge('held', READ, { outcome: 'held' }),
      ],
      on(world),
    );
    const { states, cursors } = await statesOf(world);
    expect([...states.values()]).toHaveLength(2);
    expect(states.get('intention/default/default/orders/web')).toMatchObject({
      source: 'web',
      destination: 'orders',
      access: READ,
      client: { clientId: 'web-app' },
      revision: 2,
      chain: { sequence: 4 },
    });
    expect(states.get('intention/default/default/orders/bot')).toMatchObject({
      access: READ,
      possible: null,
    });
    expect(cursors.get('payments')?.sequence).toBe(7);
    await expectComplete(world);
    const { resources } = await admin().describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: `${world.topic}.state` }],
    });
    expect(resources[0]?.configEntries).toContainEqual(
      expect.objectContaining({ configName: 'cleanup.policy', configValue: 'compact' }),
    );
  });

  it('refuses a topic that is there and deletes by age', async () => {
    const world = createTopicWorld(kafka().broker);
    const name = `${world.topic}.state`;
    const check = async () => {
      const log = world.open(on(world));
      await log.check().finally(() => log.close());
    };
    await admin().createTopics({ topics: [{ topic: name }], waitForLeaders: true });
    await expect(check()).rejects.toThrow('cleanup.policy=delete');
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }];
    const resources = [{ type: ConfigResourceTypes.TOPIC, name, configEntries }];
    await admin().alterConfigs({ validateOnly: false, resources });
    await expect(check()).resolves.toBeUndefined();
  });

  it('catches up with what was published while it was off, before it existed, or before it was lost', async () => {
    const world = createTopicWorld(kafka().broker);
    await world.publish(randomDecisions(60));
    await world.publish([edge('web', ALLOW)], on(world));
    await expectComplete(world);
    await world.publish(randomDecisions(40));
    await world.publish([edge('web', null)], on(world));
    await expectComplete(world);
    await deleteTopic(`${world.topic}.state`);
    await world.publish([edge('web', READ)], on(world));
    await expectComplete(world);
  });

  it('is exact after a crash before and after the transaction, at any batch', async () => {
    const world = createTopicWorld(kafka().broker);
    for (const crash of ['before', 'after', 'never', 'after', 'before', 'never'] as const) {
      await world.publish(randomDecisions(30), on(world), crash);
    }
    await expectComplete(world);
  });

  it('takes only the decisions of its own owner', async () => {
    const world = createTopicWorld(kafka().broker);
    await world.publish([edge('theirs', ALLOW, { source: 'scopemesh/billing/replica-1' })]);
    await world.publish([edge('ours', ALLOW)], on(world));
    const { states } = await statesOf(world);
    expect([...states.keys()]).toEqual(['intention/default/default/orders/ours']);
  });
});
