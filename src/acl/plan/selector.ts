import type { ClaimPath } from '../../model/login.js';
import { selectorString } from './escape.js';
import { claimKey } from './login.js';

/** Fixed names, so that the name of a claim is never part of a selector. */
export type ClaimName =
  | 'client_id'
  | 'own_token'
  | 'person'
  | 'actor'
  | 'actor_profile'
  | 'subject'
  | 'subject_profile'
  | 'groups'
  | 'other_groups';

/**
 * A selector that fails closed: each claim must be present before it is compared, because in Consul many comparisons with an
 * absent claim are true. All parts must match.
 */
export class Selector {
  /** Claims to the names by which selectors see them; one claim has one name. */
  readonly values = new Map<string, string>();
  readonly lists = new Map<string, string>();
  readonly #parts: string[] = [];
  #isWritable = true;

  equals(name: ClaimName, claim: ClaimPath, value: string): this {
    return this.#compare(name, claim, '==', value);
  }

  differs(name: ClaimName, claim: ClaimPath, value: string): this {
    return this.#compare(name, claim, '!=', value);
  }

  holds(preferred: ClaimName, claim: ClaimPath, member: string): this {
    const name = nameFor(this.lists, preferred, claim);
    const text = this.#string(member);
    this.#parts.push(`"${name}" in list and ${text} in list.${name}`);
    return this;
  }

  /**
   * If the token has the claim, a space-separated text, the text must contain this word in any case. This can only narrow.
   */
  holdsWordIfThere(preferred: ClaimName, claim: ClaimPath, word: 'user' | 'ai_agent'): this {
    const name = nameFor(this.values, preferred, claim);
    const pattern = this.#string(`(?i)(^| )${word}( |$)`);
    this.#parts.push(`("${name}" not in value or value.${name} matches ${pattern})`);
    return this;
  }

  /**
   * The token must not have this claim. If the claim is not a plain value, Consul refuses the whole login; a JSON pointer
   * into it would not have this effect.
   */
  lacks(preferred: ClaimName, claim: readonly [name: string]): this {
    this.#parts.push(`"${nameFor(this.values, preferred, claim)}" not in value`);
    return this;
  }

  /** Undefined if a value cannot be written or no part was added, because an empty selector admits everyone. */
  get text(): string | undefined {
    return this.#isWritable && this.#parts.length > 0 ? this.#parts.join(' and ') : undefined;
  }

  #compare(preferred: ClaimName, claim: ClaimPath, operator: '==' | '!=', value: string): this {
    const name = nameFor(this.values, preferred, claim);
    const text = this.#string(value);
    this.#parts.push(`"${name}" in value and value.${name} ${operator} ${text}`);
    return this;
  }

  #string(value: string): string {
    // An empty value would match a claim that somebody left empty.
    const text = value === '' ? undefined : selectorString(value);
    if (text === undefined) this.#isWritable = false;
    return text ?? '""';
  }
}

function nameFor(names: Map<string, string>, preferred: ClaimName, claim: ClaimPath): string {
  const key = claimKey(claim);
  const name = names.get(key) ?? preferred;
  names.set(key, name);
  return name;
}
