import { expect, it } from 'vitest';
import { applyAcl } from '../../../../src/acl/apply/apply-acl.js';
import type { AclChange } from '../../../../src/acl/plan/acl-change.js';
import { NEVER } from '../../../apply/apply-rig.js';
import {
  aclToken,
  application,
  failed,
  loss,
  type MemoryAcl,
  memoryAcl,
  method,
  rule,
  WEB,
} from '../memory-acl.js';

const shorten = () => [
  loss.update(WEB, method({ maxTokenTtlSeconds: 300 }), method().object, 'narrows'),
  loss.endTokens(method(), { authMethod: WEB }, 300),
];

/** Writes that hang have all places of those that fetch keys, and nobody waits for one. Call it to end them. */
async function fillKeyFetches(consul: MemoryAcl): Promise<() => Promise<unknown>> {
  const ends: (() => void)[] = [];
  const hang = () => new Promise<void>((resolve) => ends.push(resolve));
  const { acl } = consul.deps;
  const clock = {
    now: () => consul.nowMs,
    sleep: async (ms: number) => {
      consul.nowMs += ms;
    },
  };
  consul.deps = { ...consul.deps, clock };
  const hanging = Array.from({ length: 4 }, () => acl.keyFetches.run(hang, clock, NEVER));
  return () => {
    for (const end of ends) end();
    return Promise.all(hanging);
  };
}

/** A method with a token that lives too long, whose shortening gets no place. */
async function unsentShortening({ refusesDeletions }: { readonly refusesDeletions: boolean }) {
  const consul = memoryAcl();
  consul.put(method());
  consul.tokens = [aclToken('long')];
  const free = await fillKeyFetches(consul);
  if (refusesDeletions)
    consul.before = async (line) => {
      if (line.startsWith('delete')) throw failed('ERR_CONSUL_REJECTED');
    };
  return { consul, free };
}

it('a shortened auth method has no second decision about its tokens where its shortening was never sent and its deletion ended them', async () => {
  const { consul, free } = await unsentShortening({ refusesDeletions: false });
  await expect(applyAcl(application(shorten()), consul.deps, NEVER)).rejects.toThrow('other writes wait');
  expect(consul.requests().filter((line) => !line.startsWith('list'))).toEqual([`delete ${WEB}`]);
  expect(consul.tokens).toEqual([]);
  expect(consul.settled.map(({ subject }) => subject)).toEqual([`acl-auth-method/${WEB}`]);
  expect(consul.pending.size).toBe(0);
  await free();
});

it('a shortened auth method leaves no record of its tokens where neither was made and the plan changed', async () => {
  const { consul, free } = await unsentShortening({ refusesDeletions: true });
  const isAsPlanned = ({ step }: AclChange) => step.do !== 'end-tokens';
  await expect(applyAcl(application(shorten(), { isAsPlanned }), consul.deps, NEVER)).rejects.toThrow();
  expect(consul.tokens).toHaveLength(1);
  expect(consul.settled.map(({ subject }) => subject)).toEqual([`acl-auth-method/${WEB}`]);
  expect(consul.pending.size).toBe(0);
  await free();
});

it('a shortened auth method has its tokens ended by one decision where neither was made', async () => {
  const { consul, free } = await unsentShortening({ refusesDeletions: true });
  await expect(applyAcl(application(shorten()), consul.deps, NEVER)).rejects.toThrow();
  expect(consul.tokens).toEqual([]);
  expect(consul.settled.map(({ subject, outcome }) => `${subject} ${outcome}`)).toEqual([
    `acl-auth-method/${WEB} failed`,
    `acl-token/${WEB} applied`,
  ]);
  expect(consul.pending.size).toBe(0);
  await free();
});

/** Removes a rule with a live token. The answer to the record is lost; `left`: the tokens from then on. */
function recordInDoubt(left: readonly string[]) {
  const consul = memoryAcl();
  consul.put(rule());
  consul.tokens = [aclToken('live')];
  const { journal } = consul.deps;
  let isLost = true;
  const record: typeof journal.record = async (...args) => {
    await journal.record(...args);
    if (!isLost) return;
    isLost = false;
    consul.tokens = left.map((each) => aclToken(each));
    throw failed('ERR_QUEUE_UNREACHABLE', 'no answer');
  };
  const changes = [
    loss.remove(`acl-binding-rule-${WEB}/${WEB}`, rule()),
    loss.endTokens(method(), { role: WEB }),
  ];
  const deps = { ...consul.deps, journal: { ...journal, record } };
  return { consul, applying: applyAcl(application(changes), deps, NEVER) };
}

it('tokens whose record is in doubt are ended by one decision', async () => {
  const { consul, applying } = recordInDoubt(['live']);
  await expect(applying).rejects.toThrow('no answer');
  expect(consul.requests().filter((line) => !line.startsWith('list'))).toEqual(['end live']);
  expect(consul.settled.map(({ subject }) => subject)).toEqual([`acl-token/${WEB}`]);
  expect([...consul.pending.values()].map(({ subject }) => subject)).toEqual([
    `acl-binding-rule/${WEB}/${WEB}`,
  ]);
});

it('a record in doubt of tokens that are gone leaves no draft that would end those of later logins', async () => {
  const { consul, applying } = recordInDoubt([]);
  await expect(applying).rejects.toThrow('no answer');
  expect([...consul.pending.values()].map(({ subject }) => subject)).not.toContain(`acl-token/${WEB}`);
  expect(consul.settled).toEqual([]);
});
