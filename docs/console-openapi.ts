import { stringify } from 'yaml';
import { z } from 'zod';
import * as answers from '../src/console/answers.js';

interface Route {
  readonly path: string;
  readonly summary: string;
  readonly query: z.ZodObject;
  readonly answer: z.ZodType;
  readonly isStream?: true;
}

const ROUTES: Readonly<Record<string, Route>> = answers.ROUTES;
const BLOCK = /^( *)# generated: console (paths|schemas)\n[\s\S]*?^ *# end\n/gm;

/** docs/openapi.yaml with the routes of the console and their schemas as src/console/answers.ts has them. */
export function withConsole(text: string): string {
  const blocks = { paths: paths(), schemas: schemas() };
  return text.replaceAll(BLOCK, (_, indent: string, kind: 'paths' | 'schemas') => {
    const block = stringify(blocks[kind], { lineWidth: 120 - indent.length })
      .split('\n')
      .map((line) => (line === '' ? '' : indent + line))
      .join('\n');
    return `${indent}# generated: console ${kind}\n${block}${indent}# end\n`;
  });
}

function paths(): object {
  const all = Object.values(ROUTES).map(({ path, summary, query, answer, isStream }) => {
    const { properties = {}, required = [] } = z.toJSONSchema(query, { io: 'input' });
    const parameters = Object.entries(properties).map(([name, schema]) => {
      const isInPath = path.includes(`{${name}}`);
      return {
        name,
        in: isInPath ? 'path' : 'query',
        ...(isInPath || required.includes(name) ? { required: true } : {}),
        schema,
      };
    });
    const schema = isStream === true ? { type: 'string' } : { $ref: `#/components/schemas/${idOf(answer)}` };
    const get = {
      tags: ['console'],
      summary,
      ...(parameters.length === 0 ? {} : { parameters }),
      responses: {
        200: {
          description: 'The answer.',
          content: { [isStream === true ? 'text/event-stream' : 'application/json']: { schema } },
        },
        default: {
          description: 'Why there is no answer, with a code.',
          content: {
            'application/json': { schema: { $ref: `#/components/schemas/${idOf(answers.Fault)}` } },
          },
        },
      },
    };
    return [path, { get }] as const;
  });
  return Object.fromEntries(all);
}

/** The schemas that the routes name, and those that these name. */
function schemas(): object {
  const registry = z.registry<{ readonly id: string }>();
  for (const [name, value] of Object.entries(answers))
    if (value instanceof z.ZodType) registry.add(value, { id: `Console${name}` });
  const made = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}` }).schemas;
  const found = new Map<string, object>();
  const take = (id: string) => {
    const { $schema, $id, ...schema } = { ...made[id] };
    if (found.has(id)) return;
    found.set(id, schema);
    for (const [, each = ''] of JSON.stringify(schema).matchAll(/#\/components\/schemas\/(\w+)"/g))
      take(each);
  };
  for (const { answer, isStream } of Object.values(ROUTES)) if (isStream !== true) take(idOf(answer));
  for (const each of [answers.Fault, answers.Session]) take(idOf(each));
  return Object.fromEntries([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function idOf(schema: z.ZodType): string {
  const found = Object.entries(answers).find(([, value]) => value === schema);
  if (found === undefined) throw new Error('src/console/answers.ts does not export the schema of an answer');
  return `Console${found[0]}`;
}
