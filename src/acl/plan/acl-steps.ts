import type { AclObject } from '../../model/acl.js';
import {
  type AclChange,
  type AclChangeContext,
  type AclStep,
  aclSubject,
  digestObject,
  nameOf,
} from './acl-change.js';

/** What a diff needs from its caller to give changes their reasons. */
export interface AclReasons {
  readonly why: (object: AclObject, direction: 'narrow' | 'widen') => AclChangeContext;
  /** `digestObject` of the last write, by subject; distinguishes drift from a change at the identity provider. */
  readonly lastApplied: ReadonlyMap<string, string>;
}

export interface AclSteps {
  create(object: AclObject): AclChange;
  /** `effect`: what the write does to the power of tokens. */
  update(
    id: string,
    object: AclObject,
    before: AclObject['object'],
    effect: 'narrows' | 'widens' | 'neither',
  ): AclChange;
  remove(id: string, object: AclObject, effect?: 'narrows' | 'neither'): AclChange;
  /** Ends the tokens that were issued through an object. */
  endTokens(
    object: AclObject,
    by: { readonly authMethod: string } | { readonly role: string },
    longerThanSeconds?: number,
  ): AclChange;
}

export function createSteps({ why, lastApplied }: AclReasons): AclSteps {
  const make = (
    object: AclObject,
    step: AclStep,
    verb: AclChange['verb'],
    effect: 'narrows' | 'widens' | 'neither',
    before?: AclObject['object'],
  ): AclChange => {
    const kind = step.do === 'end-tokens' ? 'acl-token' : object.kind;
    const subject = aclSubject(kind, ...nameOf(object));
    const isDrift = step.do === 'write' && lastApplied.get(subject) === digestObject(object);
    return {
      ...why(object, effect === 'narrows' || verb === 'deleted' ? 'narrow' : 'widen'),
      ...(isDrift ? { reason: 'DriftCorrected', isInferred: false } : {}),
      subject,
      resource: { kind, name: nameOf(object).join('/') },
      action: effect === 'narrows' ? 'revoke' : effect === 'widens' ? 'grant' : 'change',
      verb,
      narrows: effect === 'narrows',
      widens: effect === 'widens',
      step,
      ...(before === undefined ? {} : { before }),
      ...(step.do === 'write' ? { after: object.object } : {}),
    };
  };
  return {
    create: (object) => make(object, { do: 'write', id: undefined, object }, 'created', 'widens'),
    update: (id, object, before, effect) =>
      make(object, { do: 'write', id, object }, 'updated', effect, before),
    remove: (id, object, effect = 'narrows') =>
      make(
        object,
        { do: 'delete', kind: object.kind, id, name: nameOf(object).join('/') },
        'deleted',
        effect,
        object.object,
      ),
    endTokens: (object, by, longerThanSeconds) =>
      make(
        object,
        { do: 'end-tokens', by, ...(longerThanSeconds === undefined ? {} : { longerThanSeconds }) },
        'deleted',
        'narrows',
      ),
  };
}
