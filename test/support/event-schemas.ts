import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { fieldOf } from '../../src/model/field-of.js';

/** The schemas in a folder that is as docs/: that of all decisions, and one for each kind of event. */
export function readSchemas(folder: URL): ReadonlyMap<string, object> {
  const read = (file: string): object => Object(JSON.parse(readFileSync(new URL(file, folder), 'utf8')));
  const files = readdirSync(new URL('schemas/', folder)).map((file) => `schemas/${file}`);
  return new Map(['decision.schema.json', ...files].map((file) => [file, read(file)]));
}

/** What is wrong with an event by the schema of its type; undefined if nothing is. */
export function eventJudge(schemas: ReadonlyMap<string, object>): (event: unknown) => string | undefined {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  for (const [file, schema] of schemas) ajv.addSchema(schema, file);
  return (event) => {
    const [, kind, verb] = /^dev\.scopemesh\.([a-z-]+)\.([a-z]+)$/.exec(String(fieldOf(event, 'type'))) ?? [];
    const of = (name: string) => ajv.getSchema(`schemas/${name}.schema.json`);
    const validate = of(`${kind}`) ?? of(`${kind}-${verb}`);
    if (validate === undefined) return `no schema for ${kind}`;
    return validate(event) ? undefined : ajv.errorsText(validate.errors);
  };
}

const DOCS = new URL('../../docs/', import.meta.url);

/** By the schemas of this version. */
export function judgeEvent(event: unknown): string | undefined {
  judge ??= eventJudge(readSchemas(DOCS));
  return judge(event);
}
let judge: ReturnType<typeof eventJudge> | undefined;
