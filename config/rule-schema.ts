import { z } from 'zod';
import { ACTOR_KINDS } from '../src/model/actor.js';
import { multiline, name, path, regex, text, toggle } from './fields.js';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE'] as const;

export const ACTOR_KIND = z.enum(ACTOR_KINDS);

const HEADER = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$/,
        'must be the name of an HTTP header; write for example x-tenant',
      ),
    present: toggle().exactOptional(),
    exact: text().exactOptional(),
    prefix: text().exactOptional(),
    suffix: text().exactOptional(),
    regex: regex().exactOptional(),
    invert: toggle().exactOptional(),
  })
  .describe('One condition on a request header; exactly one of present, exact, prefix, suffix, regex.');

/** What one scope opens. `crossFindings` checks combinations of keys and the scope's pattern. */
const RULE = z.strictObject({
  provider: name().exactOptional().describe('Only scopes of this provider.'),
  api: text().exactOptional().describe('Only scopes of this API.'),
  to: text()
    .exactOptional()
    .describe('The destination service; may use captures of the scope, as in "{service}".'),
  methods: z
    .array(z.enum(METHODS))
    .min(1, 'must name a method; leave the key out for every method')
    .exactOptional(),
  path: path().exactOptional().describe('This path and everything under it, by plain names.'),
  pathExact: path().exactOptional(),
  pathPrefix: path().exactOptional(),
  rawPath: toggle()
    .exactOptional()
    .describe(
      'With path or pathPrefix: also lets through paths that are not plain, such as /v1/orders/../admin.',
    ),
  pathRegex: regex().exactOptional().describe('An RE2 expression that the whole path matches.'),
  headers: z.array(HEADER).min(1, 'must name a header; leave the key out for any').exactOptional(),
  acl: multiline().exactOptional().describe('Consul ACL rules.'),
  user: z
    .literal('required')
    .exactOptional()
    .describe("A call must carry a user's token besides the service's certificate."),
  actors: z
    .array(ACTOR_KIND)
    .min(1, 'must name an actor kind; leave the key out for all of them')
    .exactOptional(),
});

export const SCOPES = z
  .record(
    z.string(),
    z.union([RULE, z.array(RULE).min(1, 'must hold a rule; remove the scope if it opens nothing')]),
  )
  .describe(
    'What each scope opens. Keys are patterns: literal text, * for anything, {name} for a service-like name.',
  );
