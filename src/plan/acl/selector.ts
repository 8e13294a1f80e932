import { selectorString } from './escape.js';
import { type ClaimPath, claimKey } from './login.js';

/** Names of our own, so that no claim's own name is ever part of a selector. */
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
 * A selector that fails closed: each claim must be there before it is compared, because Consul takes many a
 * comparison with an absent claim for true. Every part must hold.
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
   * A claim that is a list in one text, parted by spaces and written in any case, holds a word of ours, where the token
   * has the claim at all: it can only narrow.
   */
  holdsWordIfThere(preferred: ClaimName, claim: ClaimPath, word: 'user' | 'ai_agent'): this {
    const name = nameFor(this.values, preferred, claim);
    const pattern = this.#string(`(?i)(^| )${word}( |$)`);
    this.#parts.push(`("${name}" not in value or value.${name} matches ${pattern})`);
    return this;
  }

  /**
   * The token has no such claim, of whatever shape: one that is no plain value makes Consul refuse the whole login, which
   * a JSON pointer into it would not.
   */
  lacks(preferred: ClaimName, claim: readonly [name: string]): this {
    this.#parts.push(`"${nameFor(this.values, preferred, claim)}" not in value`);
    return this;
  }

  /** Undefined where a value cannot be written, or nothing was asked for: an empty selector admits everyone. */
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
    // An empty value would be met by what somebody left empty.
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
