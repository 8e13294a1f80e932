import {
  ACL_BIND_TYPES,
  type AclAuthMethod,
  type AclBindingRule,
  type AclObject,
  type AclPolicy,
  type AclRole,
  type Stored,
} from '../../model/acl.js';
import { isZero } from '../../model/is-zero.js';
import { createReader, incomplete, type Reader } from '../reader.js';
import { parseConfig } from './acl-config.js';
import { parseDurationSeconds } from './acl-duration.js';
import type { Operation } from './request.js';

type Raw = Readonly<Record<string, unknown>>;
type StoredObject = Stored<AclObject['object']>;

/** Fields that every object has: modelled ones and those that Consul computes. */
const COMMON = ['ID', 'Name', 'Description', 'Namespace', 'Partition', 'Hash', 'CreateIndex', 'ModifyIndex'];
/** What Consul returns instead of content that the token cannot read. */
const HIDDEN = '<hidden>';

/**
 * Parses one object from the answer to a single read or a write. Throws ERR_CONSUL_INCOMPLETE for another shape, and if
 * rules or configuration are hidden.
 */
export function parseAclObject(
  kind: AclObject['kind'],
  value: unknown,
  operation: Operation,
): { readonly object: AclObject; readonly stored: StoredObject } {
  switch (kind) {
    case 'acl-policy': {
      const stored = parsePolicy(value, operation);
      return { object: { kind, object: stored.object }, stored };
    }
    case 'acl-role': {
      const stored = parseRole(value, operation);
      return { object: { kind, object: stored.object }, stored };
    }
    case 'acl-auth-method': {
      const stored = parseAuthMethod(value, operation);
      return { object: { kind, object: stored.object }, stored };
    }
    case 'acl-binding-rule': {
      const stored = parseBindingRule(value, operation);
      return { object: { kind, object: stored.object }, stored };
    }
  }
}

export function parsePolicy(value: unknown, operation: Operation): Stored<AclPolicy> {
  const reader = createReader(operation);
  const raw = reader.record(value);
  const rules = reader.text(raw.Rules);
  if (rules === HIDDEN) throw incomplete(operation, 'the rules of a policy are hidden from the ACL token');
  return {
    id: required(raw.ID, reader, operation),
    object: {
      name: required(raw.Name, reader, operation),
      description: reader.optionalText(raw.Description),
      rules,
    },
    isAltered: hasMore(raw, ['Rules']),
    modifyIndex: reader.index(raw.ModifyIndex),
  };
}

export function parseRole(value: unknown, operation: Operation): Stored<AclRole> {
  const reader = createReader(operation);
  const raw = reader.record(value);
  const identities = reader.records(raw.ServiceIdentities);
  return {
    id: required(raw.ID, reader, operation),
    object: {
      name: required(raw.Name, reader, operation),
      description: reader.optionalText(raw.Description),
      policies: linkNames(raw.Policies, reader, operation),
      serviceIdentities: sortedOnce(identities.map((each) => required(each.ServiceName, reader, operation))),
    },
    isAltered:
      hasMore(raw, ['Policies', 'ServiceIdentities']) ||
      // An identity that is valid only in some datacenters.
      identities.some((identity) => hasMore(identity, ['ServiceName'])),
    modifyIndex: reader.index(raw.ModifyIndex),
  };
}

export function parseAuthMethod(value: unknown, operation: Operation): Stored<AclAuthMethod> {
  const reader = createReader(operation);
  const raw = reader.record(value);
  if (raw.Type !== 'jwt') throw incomplete(operation, 'an auth method of another type than jwt');
  if (raw.Config === undefined || raw.Config === null)
    throw incomplete(operation, 'the configuration of an auth method is hidden');
  const name = required(raw.Name, reader, operation);
  const ttl = reader.optionalText(raw.MaxTokenTTL);
  const maxTokenTtlSeconds = ttl === '' ? 0 : parseDurationSeconds(ttl);
  if (maxTokenTtlSeconds === undefined) throw incomplete(operation, 'a MaxTokenTTL is not a duration');
  const { config, isAltered } = parseConfig(reader.record(raw.Config));
  return {
    id: name,
    object: { name, description: reader.optionalText(raw.Description), maxTokenTtlSeconds, config },
    isAltered:
      isAltered ||
      // An absent locality means `local`.
      (!isZero(raw.TokenLocality) && raw.TokenLocality !== 'local') ||
      hasMore(raw, ['Type', 'MaxTokenTTL', 'Config', 'TokenLocality']),
    modifyIndex: reader.index(raw.ModifyIndex),
  };
}

export function parseBindingRule(value: unknown, operation: Operation): Stored<AclBindingRule> {
  const reader = createReader(operation);
  const raw = reader.record(value);
  const bindType = ACL_BIND_TYPES.find((type) => type === raw.BindType);
  if (bindType === undefined) throw incomplete(operation, 'a binding rule of an unknown BindType');
  return {
    id: required(raw.ID, reader, operation),
    object: {
      description: reader.optionalText(raw.Description),
      authMethod: required(raw.AuthMethod, reader, operation),
      bindType,
      bindName: reader.optionalText(raw.BindName),
      selector: reader.optionalText(raw.Selector),
    },
    isAltered: hasMore(raw, ['AuthMethod', 'BindType', 'BindName', 'Selector']),
    modifyIndex: reader.index(raw.ModifyIndex),
  };
}

/** Names of linked policies or roles; Consul returns their current names. */
export function linkNames(value: unknown, reader: Reader, operation: Operation): readonly string[] {
  return sortedOnce(reader.list(value).map((link) => required(reader.record(link).Name, reader, operation)));
}

/** A text that is never empty. */
export function required(value: unknown, reader: Reader, operation: Operation): string {
  const text = reader.text(value);
  if (text === '') throw incomplete(operation, 'the answer has an empty name or id');
  return text;
}

export function sortedOnce(names: readonly string[]): readonly string[] {
  return [...new Set(names)].toSorted();
}

function hasMore(raw: Raw, modelled: readonly string[]): boolean {
  return Object.entries(raw).some(
    ([name, value]) => !COMMON.includes(name) && !modelled.includes(name) && !isZero(value),
  );
}
