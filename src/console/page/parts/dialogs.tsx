import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { dialog, KEYS } from '../keys.js';
import { PLACES } from '../places.js';
import { navigate } from '../router.js';
import { useAnswer } from '../use-answer.js';
import { Icon, type IconName } from './icon.js';
import { Name } from './name.js';

export function Dialogs() {
  switch (dialog.value) {
    case 'palette':
      return <Palette />;
    case 'help':
      return <Help />;
    case undefined:
      return null;
  }
}

const close = () => {
  dialog.value = undefined;
};

interface Opened {
  readonly name: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
}

/** A dialog of the browser: it holds the focus, and Esc closes it. */
export function Modal({ name, close, children }: Opened) {
  const element = useRef<HTMLDialogElement>(null);
  // Before the next key: what somebody types right after the key that opens it is meant for it.
  useLayoutEffect(() => element.current?.showModal(), []);
  return (
    <dialog
      ref={element}
      class="modal"
      aria-label={name}
      onClose={close}
      // The dialog itself fills the page only outside its box.
      onClick={({ target, currentTarget }) => target === currentTarget && close()}
      onKeyDown={({ key }) => key === 'Escape' && close()}
    >
      {children}
    </dialog>
  );
}

interface Hit {
  readonly name: string;
  readonly kind: string;
  readonly url: string;
  readonly icon: IconName;
}

const ICONS = { service: 'services', client: 'clients', decision: 'changes' } as const;

/** Finds pages, services, clients and decisions by a part of the name. */
function Palette() {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const asked = text.trim();
  const { value } = useAnswer(asked === '' ? undefined : '/api/search', { q: asked }, false);
  const pages = PLACES.filter(({ name }) => name.toLowerCase().includes(asked.toLowerCase()));
  const hits: readonly Hit[] = [
    ...(asked === '' ? [] : (value ?? [])).map(({ kind, name, url }) => ({
      name,
      kind,
      url,
      icon: ICONS[kind],
    })),
    ...pages.map(({ name, path, icon }) => ({ name, kind: 'page', url: path, icon })),
  ];
  const at = Math.min(chosen, hits.length - 1);
  const open = (url: string | undefined) => {
    if (url === undefined) return;
    close();
    navigate(url);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0) setChosen((at + step + hits.length) % Math.max(1, hits.length));
    else if (event.key === 'Enter') open(hits[at]?.url);
    else return;
    event.preventDefault();
  };
  return (
    <Modal name="Search" close={close}>
      <div class="palette">
        <Icon name="search" />
        <input
          type="text"
          role="combobox"
          aria-label="Search services, clients, decisions and pages"
          aria-expanded="true"
          aria-controls="hits"
          aria-activedescendant={hits.length === 0 ? undefined : `hit-${at}`}
          placeholder="A service, a client, a decision"
          autocomplete="off"
          spellcheck={false}
          value={text}
          onInput={({ currentTarget }) => {
            setText(currentTarget.value);
            setChosen(0);
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <div class="hits" id="hits" role="listbox" aria-label="What was found" tabIndex={-1}>
        {hits.map(({ name, kind, url, icon }, place) => (
          <a
            key={url}
            id={`hit-${place}`}
            class="hit"
            role="option"
            aria-selected={place === at}
            tabIndex={-1}
            href={url}
            onClick={close}
          >
            <Icon name={icon} /> <Name text={name} /> <span class="soft">{kind}</span>
          </a>
        ))}
      </div>
      {hits.length === 0 && <p class="empty">Nothing has this in its name.</p>}
    </Modal>
  );
}

function Help() {
  return (
    <Modal name="Keys" close={close}>
      <div class="titled">
        <h2>Keys</h2>
        <button type="button" class="button" onClick={close}>
          Close
        </button>
      </div>
      <dl class="facts">
        {KEYS.flatMap(([key, what]) => [
          <dt key={key}>
            <kbd>{key}</kbd>
          </dt>,
          <dd key={what}>{what}</dd>,
        ])}
      </dl>
    </Modal>
  );
}
