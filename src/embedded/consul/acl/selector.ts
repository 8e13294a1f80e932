import { toExpression } from '../../../model/re2.js';
import { bytesOf } from './go-string.js';
import { type Comparison, type Operator, parseSelector, type Selector } from './selector-grammar.js';
import type { Identity } from './verified-claims.js';

/** A compiled selector. Strings are compared as bytes, as in Go. */
type Condition = (identity: Identity) => boolean;

/**
 * Compiles a selector of a binding rule; undefined where Consul refuses it. `value.x` is a text, `list.x` a list, and
 * `value` and `list` are maps by name. A condition on an absent claim holds where it holds in Consul.
 */
export function compileSelector(text: string): Condition | undefined {
  const selector = parseSelector(text);
  return selector === undefined ? undefined : compile(selector);
}

function compile(selector: Selector): Condition | undefined {
  switch (selector.kind) {
    case 'not': {
      const inner = compile(selector.inner);
      return inner && ((identity) => !inner(identity));
    }
    case 'and':
    case 'or': {
      const [left, right] = [compile(selector.left), compile(selector.right)];
      if (left === undefined || right === undefined) return undefined;
      return selector.kind === 'and'
        ? (identity) => left(identity) && right(identity)
        : (identity) => left(identity) || right(identity);
    }
    case 'comparison':
      return compare(selector);
  }
}

function compare({ path, operator, value }: Comparison): Condition | undefined {
  const [root, name, ...more] = path;
  if (more.length > 0 || (root !== 'value' && root !== 'list')) return undefined;
  if (name === undefined) return ofItems((identity) => [...identity[root].keys()], operator, value);
  return root === 'value'
    ? ofText(name, operator, value)
    : ofItems((identity) => identity.list.get(name) ?? [], operator, value);
}

/** A list, or the names of a map. */
function ofItems(
  itemsOf: (identity: Identity) => readonly string[],
  operator: Operator,
  value: string,
): Condition | undefined {
  switch (operator) {
    case 'in':
      return (identity) => itemsOf(identity).map(bytesOf).includes(value);
    case 'not in':
      return (identity) => !itemsOf(identity).map(bytesOf).includes(value);
    case 'is empty':
      return (identity) => itemsOf(identity).length === 0;
    case 'is not empty':
      return (identity) => itemsOf(identity).length > 0;
    default:
      return undefined;
  }
}

function ofText(name: string, operator: Operator, value: string): Condition | undefined {
  const test = textTest(operator, value);
  if (test === undefined) return undefined;
  // What Consul answers for a claim that is absent.
  const absent = ['!=', 'not in', 'matches', 'not matches'].includes(operator);
  return ({ value: values }) => {
    const text = values.get(name);
    return text === undefined ? absent : test(text);
  };
}

function textTest(operator: Operator, value: string): ((text: string) => boolean) | undefined {
  switch (operator) {
    case '==':
      return (text) => bytesOf(text) === value;
    case '!=':
      return (text) => bytesOf(text) !== value;
    case 'in':
      return (text) => bytesOf(text).includes(value);
    case 'not in':
      return (text) => !bytesOf(text).includes(value);
    case 'matches':
    case 'not matches': {
      const expression = toExpression(Buffer.from(value, 'latin1').toString('utf8'));
      return expression && ((text) => expression.isIn(text) === (operator === 'matches'));
    }
    default:
      return undefined;
  }
}
