/**
 * An evaluator, written apart from the code under test, of the part of Consul's selector language (go-bexpr) that
 * scopemesh uses: `and`, `or`, parentheses, `"x" in value`, `"x" not in value`, `"x" in list`, `"x" in list.name`,
 * `value.name == "x"`, `!=`, `matches "x"`. What
 * Consul takes for true on an absent claim is true here. Throws on everything else.
 */
export interface TokenClaims {
  readonly value: Readonly<Record<string, string>>;
  readonly list: Readonly<Record<string, readonly string[]>>;
}

type Term =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'path'; readonly of: 'value' | 'list'; readonly name: string | undefined };

export function admits(selector: string, claims: TokenClaims): boolean {
  const words = wordsOf(selector);
  let next = 0;
  const take = (): string => {
    const word = words[next++];
    if (word === undefined) throw new Error('the selector ends too early');
    return word;
  };
  const comparison = (): boolean => {
    if (words[next] === '(') {
      next++;
      const holds = disjunction();
      if (take() !== ')') throw new Error('a parenthesis stays open');
      return holds;
    }
    const left = term(take());
    const operator = take();
    if (operator === 'not') {
      if (take() !== 'in' || left.kind !== 'text' || take() !== 'value')
        throw new Error('not "x" not in value');
      return !Object.hasOwn(claims.value, left.text);
    }
    const right = term(take());
    if (operator === 'in' && left.kind === 'text' && right.kind === 'path') {
      const within = right.of === 'value' ? claims.value : claims.list;
      if (right.name === undefined) return Object.hasOwn(within, left.text);
      if (right.of !== 'list') throw new Error('a substring test');
      const members = Object.hasOwn(claims.list, right.name) ? claims.list[right.name] : undefined;
      return members?.includes(left.text) ?? false;
    }
    if (left.kind !== 'path' || left.of !== 'value' || left.name === undefined || right.kind !== 'text')
      throw new Error(`not a comparison of a value: ${selector}`);
    const value = Object.hasOwn(claims.value, left.name) ? claims.value[left.name] : undefined;
    if (operator === '==') return value === right.text;
    if (operator === '!=') return value !== right.text;
    // Consul takes an absent claim for one that matches.
    if (operator === 'matches') return value === undefined || goPattern(right.text).test(value);
    throw new Error(`unknown operator ${operator}`);
  };
  const conjunction = (): boolean => {
    let holds = comparison();
    while (words[next] === 'and') {
      next++;
      holds = comparison() && holds;
    }
    return holds;
  };
  const disjunction = (): boolean => {
    let holds = conjunction();
    while (words[next] === 'or') {
      next++;
      holds = conjunction() || holds;
    }
    return holds;
  };
  const holds = disjunction();
  if (next !== words.length) throw new Error(`${words[next]} is where the selector should end`);
  return holds;
}

function wordsOf(selector: string): readonly string[] {
  const words: string[] = [];
  const pattern =
    / *("(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8})*"|[a-z_.]+|==|!=|[()])/y;
  while (pattern.lastIndex < selector.length) {
    const at = pattern.lastIndex;
    const word = pattern.exec(selector)?.[1];
    if (word === undefined) throw new Error(`cannot be read at ${at}: ${selector}`);
    words.push(word);
  }
  return words;
}

function term(word: string): Term {
  if (word.startsWith('"')) return { kind: 'text', text: unquote(word.slice(1, -1)) };
  const [of, name, ...more] = word.split('.');
  if ((of !== 'value' && of !== 'list') || more.length > 0) throw new Error(`no claim: ${word}`);
  return { kind: 'path', of, name };
}

function goPattern(text: string): RegExp {
  return text.startsWith('(?i)') ? new RegExp(text.slice(4), 'i') : new RegExp(text);
}

function unquote(text: string): string {
  return text.replace(/\\(?:x(..)|u(.{4})|U(.{8}))/g, (_, x, u, wide) =>
    String.fromCodePoint(Number.parseInt(x ?? u ?? wide, 16)),
  );
}
