import { expect, it } from 'vitest';
import { addConsoleApi, type ConsoleApiDeps } from '../../../src/console/api/console-api.js';
import { createHttpServer } from '../../../src/daemon/http-server.js';
import type { Asked } from '../../../src/daemon/questions.js';
import { partsOf } from './console-world.js';

it('a name that is a step of a path reaches the question as it is', async () => {
  const asked: Asked[] = [];
  const server = createHttpServer();
  addConsoleApi(server, {
    ...partsOf(),
    access: { callerOf: () => ({ kind: 'local' }) },
    clock: { now: () => 0 },
    questions: {
      ask: async (_: string, question: Asked) => {
        asked.push(question);
        return '{}';
      },
    },
  } as unknown as ConsoleApiDeps);
  for (const part of ['~..', '~~.', '..x', 'a%2Fb']) await server.inject(`/api/decisions/${part}`);
  expect(asked.map(({ query }) => query)).toEqual([{ id: '..' }, { id: '~.' }, { id: '..x' }, { id: 'a/b' }]);
  await server.close();
});
