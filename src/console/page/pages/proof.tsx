import { useEffect, useState } from 'preact/hooks';
import { FaultNote } from '../parts/answer-view.js';
import { useChoices } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { Icon } from '../parts/icon.js';
import { Name } from '../parts/name.js';
import { pathOf } from '../query.js';
import { useAnswer } from '../use-answer.js';
import { NotProven, type Proven, verifyProof } from '../verify-proof.js';
import { cleanLines } from './changes.js';

type Result = { readonly proven: Proven } | { readonly why: string };

/** A decision verified by this browser alone, with a key that the reader pastes. The daemon may be stopped meanwhile. */
export function ProofPage() {
  const [{ id }, choose] = useChoices({ id: '' });
  const answer = useAnswer(id === '' ? undefined : '/api/decisions/{id}/proof', { id }, false);
  const [pasted, setPasted] = useState<string>();
  const [key, setKey] = useState('');
  const [result, setResult] = useState<Result>();
  const fetched = answer.value === undefined || answer.isOld ? '' : JSON.stringify(answer.value, null, 2);
  const proof = pasted ?? fetched;

  useEffect(() => {
    let isOver = false;
    setResult(undefined);
    if (proof.trim() === '' || key.trim() === '') return;
    verifyProof(proof, key).then(
      (proven) => isOver || setResult({ proven }),
      (error: unknown) =>
        isOver || setResult({ why: error instanceof NotProven ? error.message : 'This is not a proof.' }),
    );
    return () => {
      isOver = true;
    };
  }, [proof, key]);

  return (
    <>
      <p class="crumbs">
        <a href="/audit">Audit</a> {id !== '' && <a href={pathOf('/changes', id)}>The decision</a>}
      </p>
      <Heading title="Proof">Verify a decision in this browser</Heading>
      <p class="soft">
        The key comes from you and stays here. This browser computes the hash of the decision, the path to the
        root of the signed log (RFC 6962) and the signature (Ed25519). The daemon takes no part in it.
      </p>
      <form
        key={id}
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          const next = new FormData(event.currentTarget).get('id');
          setPasted(undefined);
          if (typeof next === 'string') choose({ id: next.trim() });
        }}
      >
        <label class="filter">
          <span class="soft">ID of a decision</span>
          <input name="id" value={id} />
        </label>
        <button type="submit" class="button">
          Get its proof
        </button>
      </form>
      {answer.fault !== undefined && <FaultNote fault={answer.fault} retry={answer.reload} />}
      <label class="pasted">
        <span>Public key: the line in trail-key.pub, from somebody whom you trust</span>
        <textarea
          rows={2}
          spellcheck={false}
          autocomplete="off"
          placeholder="scopemesh/OWNER+HASH+KEY"
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
      </label>
      <label class="pasted">
        <span>Proof: what scopemesh decisions prove prints</span>
        <textarea
          rows={8}
          spellcheck={false}
          autocomplete="off"
          value={proof}
          onInput={(event) => setPasted(event.currentTarget.value)}
        />
      </label>
      <div role="status">{result !== undefined && <Verdict result={result} />}</div>
    </>
  );
}

function Verdict({ result }: { readonly result: Result }) {
  if ('why' in result)
    return (
      <div class="note bad">
        <Icon name="no" />
        <div>
          <strong>Not proven</strong>
          <p>{result.why}</p>
        </div>
      </div>
    );
  const { id, log, sequence, size, name, event } = result.proven;
  return (
    <>
      <div class="note good">
        <Icon name="yes" />
        <div>
          <strong>Checked in your browser: this decision is in the signed log.</strong>
          <p>
            <Name text={id} isCode /> is number {sequence} of the log <Name text={log} isCode />, signed up to{' '}
            {size} by <Name text={name} isCode />.
          </p>
        </div>
      </div>
      <details>
        <summary>The decision that was verified</summary>
        <pre>{cleanLines(event)}</pre>
      </details>
    </>
  );
}
