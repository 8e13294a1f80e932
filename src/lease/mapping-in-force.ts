import { z } from 'zod';
import { jsonIn } from '../model/json-in.js';
import { isMeant, type MappingInForce, type OwnMapping } from '../model/replica.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { Roster } from '../queue/roster.js';
import { safeParse } from '../safe-parse.js';

const NAME = 'mapping-in-force';
const Stored = z.object({ revision: z.string(), readAt: z.string(), seenAt: z.string() });

export interface Replicas {
  readonly keyValues: Pick<KeyValueStore, 'get'>;
  readonly roster: Pick<Roster, 'list'>;
}

/** Resolves with the mapping of the last leader that wrote, unless `own` is meant to take its place. */
export async function readFormer(
  name: string,
  own: OwnMapping,
  { keyValues, roster }: Replicas,
): Promise<MappingInForce | undefined> {
  const former = safeParse(Stored, jsonIn((await keyValues.get(NAME)) ?? '')).data;
  if (former === undefined) return undefined;
  const others = (await roster.list()).filter(({ replica }) => replica !== name);
  return isMeant(
    own,
    former,
    others.map(({ mapping }) => mapping),
  )
    ? undefined
    : former;
}

/** Replaces it. Call it only while this replica leads, with the store of its term. */
export function writeInForce(mapping: MappingInForce, keyValues: Pick<KeyValueStore, 'set'>): Promise<void> {
  const { revision, readAt, seenAt } = mapping;
  return keyValues.set(NAME, JSON.stringify({ revision, readAt, seenAt }));
}
