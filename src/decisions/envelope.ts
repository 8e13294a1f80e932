import { invalidEvent } from '../errors.js';
import type { ChainLink, Decision, Resource } from '../model/decision.js';
import { definedFields } from '../model/defined-fields.js';
import type { Residual } from '../model/residual.js';
import { safeParse } from '../safe-parse.js';
import { CLOUD_EVENT, type CloudEvent } from './decision-schema.js';
import { toPlainText, toPlainValue } from './plain-value.js';

/** The media type of a decision event in structured mode. */
export const CONTENT_TYPE = 'application/cloudevents+json';

/** The decision in the form of the topic: plain JSON, without absent fields, with masked secrets. */
export function toCloudEvent(decision: Decision): CloudEvent {
  const {
    client,
    person,
    writeId,
    scopes,
    detail,
    consul,
    latencyMs,
    cause,
    before,
    after,
    residual,
    chain,
  } = decision;
  const principal = decision.principal ?? cause.principal;
  // In the order of canonical JSON, so that nothing has to be sorted.
  return {
    data: {
      action: decision.action,
      ...(after === undefined ? {} : { after: toPlainValue(after) }),
      ...(before === undefined ? {} : { before: toPlainValue(before) }),
      cause: {
        ...(cause.eventId === undefined ? {} : { eventId: cause.eventId }),
        kind: cause.kind,
        receivedAt: cause.receivedAt,
      },
      ...definedFields({ chain: chain && toLink(chain) }),
      ...(decision.changeReason === undefined ? {} : { changeReason: decision.changeReason }),
      ...(client === undefined
        ? {}
        : { client: { actorKind: client.actorKind, clientId: client.clientId, provider: client.provider } }),
      ...(consul === undefined ? {} : { consul: { modifyIndex: consul.modifyIndex } }),
      ...(detail === undefined ? {} : { detail: toPlainText(detail) }),
      ...(latencyMs === undefined ? {} : { latencyMs }),
      mappingRevision: decision.mappingRevision,
      outcome: decision.outcome,
      ...(person === undefined ? {} : { person: { ...person } }),
      ...(principal === undefined
        ? {}
        : {
            principal: {
              ...(principal.comment === undefined ? {} : { comment: toPlainText(principal.comment) }),
              id: toPlainText(principal.id),
              ...(principal.ip === undefined ? {} : { ip: principal.ip }),
              ...(principal.note === undefined ? {} : { note: toPlainText(principal.note) }),
            },
          }),
      reason: decision.reason,
      ...(residual === undefined ? {} : { residual: toResidual(residual) }),
      resource: toResource(decision.resource),
      revision: decision.revision,
      ...(scopes === undefined ? {} : { scopes: [...scopes] }),
      ...(writeId === undefined ? {} : { writeId }),
    },
    datacontenttype: 'application/json',
    id: decision.id,
    source: decision.source,
    specversion: '1.0',
    subject: decision.subject,
    time: decision.time,
    ...(cause.traceparent === undefined ? {} : { traceparent: cause.traceparent }),
    type: decision.type,
  };
}

/**
 * Parses a decision event, or its JSON text; ignores fields that a later version added. Throws SyncError ERR_EVENT_INVALID,
 * which names the first invalid field and contains no value.
 */
export function parseCloudEvent(event: unknown): Decision {
  const result = safeParse(CLOUD_EVENT, typeof event === 'string' ? parseJson(event) : event);
  if (!result.success) {
    const issue = result.error.issues[0];
    const where = issue?.path.map(String).join('.') || 'the event';
    throw invalidEvent(`Not a decision event: ${where} is missing or invalid.`);
  }
  const { data, id, time, source, type, subject, traceparent } = result.data;
  const cause = { ...data.cause, ...definedFields({ traceparent }) };
  return { id, time, type, subject, source, ...data, cause };
}

function toLink({ hash, log, previousHash, proof, sequence }: ChainLink): CloudEvent['data']['chain'] {
  if (proof === undefined) return { hash, log, previousHash, sequence };
  const { hashes, index, signature, size } = proof;
  return { hash, log, previousHash, proof: { hashes: [...hashes], index, signature, size }, sequence };
}

function toResource(resource: Resource): CloudEvent['data']['resource'] {
  const { destination, kind, name, namespace, partition, source } = resource;
  return {
    ...definedFields({ destination }),
    kind,
    ...definedFields({ name, namespace, partition, source }),
  };
}

function toResidual(residual: Residual): NonNullable<CloudEvent['data']['residual']> {
  const { accessTokensUntil, agentCache, foreignAllows, nextRequests, openStreamsSeconds, untilSynced } =
    residual;
  return definedFields({
    accessTokensUntil,
    agentCache: typeof agentCache === 'object' ? { ...agentCache } : agentCache,
    foreignAllows: foreignAllows && [...foreignAllows],
    nextRequests,
    openStreamsSeconds,
    untilSynced,
  } satisfies Readonly<Record<keyof Residual, unknown>>);
}

/** Whether an instance of the owner published it, by the `source` of the event: a topic may hold those of several owners. */
export function isOwnedBy(owner: string, source: string): boolean {
  return source === `scopemesh/${owner}` || source.startsWith(`scopemesh/${owner}/`);
}

/** The owner that a source or the first line of a checkpoint names: `scopemesh/<owner>/…`. */
export function ownerIn(text: string): string | undefined {
  return text.split('/', 2)[1];
}

/** Throws SyncError ERR_EVENT_INVALID. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalidEvent('Not a decision event: the text is not JSON.');
  }
}
