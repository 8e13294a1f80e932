import { describe, expect, it } from 'vitest';
import { applyAcl } from '../../../../src/acl/apply/apply-acl.js';
import type { AclDeps } from '../../../../src/acl/apply/deps.js';
import {
  aclToken,
  application,
  failed,
  loss,
  type MemoryAcl,
  memoryAcl,
  method,
  narrowRole,
  POLICY,
  role,
  WEB,
} from '../memory-acl.js';

const down = failed('ERR_QUEUE_UNREACHABLE', 'the journal is down');
const narrowing = () => [narrowRole()];
const shortening = () => [loss.update(WEB, method({ maxTokenTtlSeconds: 300 }), method().object, 'narrows')];
const ending = () => [loss.endTokens(method(), { role: WEB })];

/** What the caller learns about the losses of these changes. */
async function outcomeOf(
  changes: Parameters<typeof application>[0],
  prepare: (consul: MemoryAcl, stop: AbortController) => Partial<AclDeps> | undefined,
): Promise<readonly boolean[]> {
  const consul = memoryAcl();
  consul.put(role(POLICY), method());
  consul.tokens = [aclToken('a')];
  const stop = new AbortController();
  const deps = { ...consul.deps, ...prepare(consul, stop) };
  const reported: boolean[] = [];
  const narrowed = (isMade: boolean) => reported.push(isMade);
  await expect(applyAcl(application(changes, { narrowed }), deps, stop.signal)).rejects.toThrow();
  return reported;
}

const refusing =
  (word: string, error: Error) =>
  (consul: MemoryAcl): undefined => {
    consul.before = async (line) => {
      if (line.startsWith(word)) throw error;
    };
  };

describe('a loss counts once as made', () => {
  it('where Consul made it and the journal could not settle it', async () => {
    const settle = () => Promise.reject(down);
    const reported = await outcomeOf(narrowing(), ({ deps }) => ({ journal: { ...deps.journal, settle } }));
    expect(reported).toEqual([true]);
  });

  it.each(['ERR_TIMEOUT', 'ERR_CONSUL_UNREACHABLE'] as const)(
    'where the answer was lost: %s',
    async (code) => {
      expect(await outcomeOf(narrowing(), refusing('replace', failed(code)))).toEqual([true]);
    },
  );

  it('where it was sent when the job stopped', async () => {
    const reported = await outcomeOf(narrowing(), (consul, stop) => {
      consul.before = async (line) => {
        if (!line.startsWith('replace')) return;
        stop.abort(new Error('stopped'));
        throw new Error('stopped');
      };
      return undefined;
    });
    expect(reported).toEqual([true]);
  });

  it('where the object was deleted because Consul refused to narrow it', async () => {
    const refused = failed('ERR_CONSUL_REJECTED', 'no keys');
    expect(await outcomeOf(shortening(), refusing('replace', refused))).toEqual([true]);
  });

  it('where some tokens ended before the list failed', async () => {
    const reported = await outcomeOf(ending(), (consul) => {
      let lists = 0;
      consul.before = async (line) => {
        if (line.startsWith('list') && ++lists > 1) throw failed('ERR_CONSUL_UNREACHABLE');
      };
      return undefined;
    });
    expect(reported).toEqual([true]);
  });
});

describe('a loss counts once as not made', () => {
  it('where the journal could not record it', async () => {
    const record = () => Promise.reject(down);
    const reported = await outcomeOf(narrowing(), ({ deps }) => ({ journal: { ...deps.journal, record } }));
    expect(reported).toEqual([false]);
  });

  it('where the store could not note that objects may exist', async () => {
    const set = () => Promise.reject(down);
    const reported = await outcomeOf(narrowing(), ({ deps }) => ({ keyValues: { ...deps.keyValues, set } }));
    expect(reported).toEqual([false]);
  });

  it('where Consul refused it', async () => {
    expect(await outcomeOf(narrowing(), refusing('replace', failed('ERR_CONSUL_DENIED')))).toEqual([false]);
  });

  it('where it waited for its place when the job stopped', async () => {
    const reported = await outcomeOf(narrowing(), (_, stop) => ({
      writePlaces: {
        run: async (): Promise<never> => {
          stop.abort(new Error('stopped'));
          throw new Error('stopped');
        },
      },
    }));
    expect(reported).toEqual([false]);
  });

  it('where no token could be listed', async () => {
    expect(await outcomeOf(ending(), refusing('list', failed('ERR_CONSUL_UNREACHABLE')))).toEqual([false]);
  });
});
