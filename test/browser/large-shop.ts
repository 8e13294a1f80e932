import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { inParallel } from '../../bench/support/consul.js';
import { groupBy } from '../../src/model/group-by.js';
import type { DemoLine } from './open-console.js';

/* A shop of 5,000 services: those of the demo, and teams whose services call their own, others, and the shop. */

const TEAMS =
  'accounts ads alerts auth billing brands bundles cart catalog chat checks claims content courier credit customs depot ' +
  'devices email events fleet forms fraud gifts grid hotel ideas images invoices labels leads loans loyalty maps media menu ' +
  'metrics news offers parcel points pricing profile quotes rates refunds returns reviews routes sales search seats stock ' +
  'stores surveys tax tickets tours vouchers wallet warehouse weather wishlist yard zones';
const PARTS =
  'api batch cache cron export feed gateway import index jobs mail queue rules search sync view worker';
const SERVICES = 5_000;
const OF_ONE_CLIENT = 8;

const STATUS = z.object({
  sweepAgeSeconds: z.number().nullable(),
  outboxDecisions: z.number(),
  queue: z.object({ waiting: z.number(), active: z.number(), delayed: z.number() }),
});

/** Makes the running demo large. Resolves once scopemesh has settled what follows from it. */
export async function makeLarge(demo: DemoLine): Promise<void> {
  const [teams, parts] = [TEAMS.split(' '), PARTS.split(' ')];
  const names = Array.from({ length: SERVICES - Object.keys(demo.callers).length - 3 }, (_, index) => {
    const at = Math.floor(index / teams.length);
    const copy = at < parts.length ? '' : `-${Math.floor(at / parts.length) + 1}`;
    return `${teams[index % teams.length]}-${parts[at % parts.length]}${copy}`;
  });
  const consul = (path: string, body: object) =>
    put(`${demo.consul}${path}`, { 'x-consul-token': demo.consulManagementToken }, body);
  const clientOf = (index: number) =>
    `${teams[index % teams.length]}-${Math.floor(index / teams.length / OF_ONE_CLIENT) + 1}`;
  const clients = [...groupBy(names.keys(), clientOf)];
  const connect = (at: number) => `${names[at % names.length]}:connect`;
  await inParallel(8, clients.length, (index) => {
    const [client = '', claimed = []] = clients[index] ?? [];
    const every = (nth: number, scope: string) => (index % nth === 0 ? [scope] : []);
    const scopes = [
      ...[connect(index + 1), connect(index * 7 + 2)],
      ...[every(3, 'orders:read'), every(5, 'inventory:read'), every(9, 'payments:charge')].flat(),
      ...every(40, 'vault:connect'),
    ];
    const attributes = {
      'consul-services': claimed.map((at) => names[at]).join(','),
      ...(index % 50 === 7 ? { actor: 'agent' } : {}),
    };
    const authorization = `Bearer ${demo.idpManagementToken}`;
    return put(`${demo.idp}/clients/${client}`, { authorization }, { scopes, attributes });
  });
  await inParallel(8, names.length, async (index) => {
    const Service = { Service: names[index], Port: 8080, Meta: { 'oauth-client-id': clientOf(index) } };
    const Node = `machine-${index % 80}`;
    await consul('/v1/catalog/register', { Node, Address: '10.0.0.1', SkipNodeUpdate: index >= 80, Service });
    if (index % 50 !== 0) return;
    const Sources = [{ Name: names[index + 2], Action: 'allow' }];
    await consul('/v1/config', { Kind: 'service-intentions', Name: names[index], Sources });
  });
  // The identity provider sends its events one after the other.
  for (let quiet = 0; quiet < 3; quiet++) {
    await sleep(2_000);
    const answer = await fetch(`${demo.scopemesh}/statusz?holdsAfter=!`);
    const { sweepAgeSeconds, outboxDecisions, queue } = STATUS.parse(await answer.json());
    const open = queue.waiting + queue.active + queue.delayed + outboxDecisions;
    if (open > 0 || sweepAgeSeconds === null) quiet = 0;
  }
}

export async function put(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: object,
): Promise<void> {
  const answer = await fetch(url, { method: 'PUT', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`PUT ${url}: ${answer.status} ${await answer.text()}`);
}
