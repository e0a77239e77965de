/** What `--help` begins with. */
export const EXAMPLES = {
  spoq: `Examples:
  $ spoq init                                 sign this computer in
  $ spoq                                      open a conversation (spoq -c: the last one again)
  $ spoq ask "what does this project do?"     ask about the repository you are in
  $ git diff | spoq ask "review this"         ask about what another program prints
  $ spoq status                               how your box is
`,
  init: `Examples:
  $ spoq init
  $ spoq init --browser                       approve in the browser of this computer, without a code
  $ spoq init --no-browser                    only print the address, e.g. over SSH
  $ spoq init --force                         sign in again, or as somebody else
`,
  chat: `Examples:
  $ spoq                                      open a conversation
  $ spoq -c                                   go on with the last one of this folder
  $ spoq chat -c                              the same

Each question goes along with files from here, as with spoq ask. /help tells what there is
besides. Esc stops an answer, Ctrl-D leaves; the conversation is kept on your box.
`,
  ask: `Examples:
  $ spoq ask "explain this function" @src/parse.ts
  $ spoq ask "what is wrong in @src/ and @notes.md?"
  $ spoq ask "what is wrong with this page?" @screen.png
  $ spoq ask --schema todo.json "what is left to do in @notes.md?"
  $ npm test 2>&1 | spoq ask "why does this fail?"
  $ spoq ask --model claude-opus-5-5 "…"      ask another model: see spoq models
  $ spoq ask -c "and the tests?"              go on with the last conversation of this folder
  $ spoq ask --in 4dd3c3a4 "and the tests?"   go on with another one
  $ spoq ask --dry-run "where is the retry?"  list what would be sent, and send nothing
  $ spoq ask --json "…" | jq -r 'select(.type == "text").text'

From a git repository, files go along until the budget is used: those that the question
names, then README and manifests, then near and small ones. Never sent: what .gitignore or
.spoqignore name, binaries, files over 256 kB, and what looks secret (.env, keys, tokens).
`,
  run: `Examples:
  $ spoq run "fix the failing test"           in a copy of the workspace; nothing here changes
  $ spoq run -c "and add one for the edge"    go on, in the same copy
  $ spoq run --deny "shell(git push)" --allow "network(example.com)" "update the client"
  $ spoq run -- npm test                      a program of yours, with its output and exit code

The agent reads, edits and runs in its copy without asking; what leaves it (hosts, MCP
servers) is asked for. Look at what it did with spoq diff, take it with spoq apply.
`,
  diff: `Examples:
  $ spoq diff
  $ spoq diff 4dd3c3a4 | git apply --check
`,
  apply: `Examples:
  $ spoq apply
  $ spoq apply 4dd3c3a4 --keep                keep the copy on the box

What you changed meanwhile is never overwritten: changes are put together, and where that
can't be, both versions are kept and named.
`,
  discard: `Examples:
  $ spoq discard
  $ spoq discard 4dd3c3a4 --yes
`,
  sessions: `Examples:
  $ spoq sessions
  $ spoq sessions --here --limit 5            only those of this folder
  $ spoq sessions --delete 4dd3c3a4
`,
  resume: `Examples:
  $ spoq resume                               read the last conversation of this folder
  $ spoq resume 4dd3c3a4                      another one, by how its id begins

The box goes on when a line is lost or a laptop sleeps: this shows what it has said since,
and stays until it is done. Ctrl-C leaves it at work.
`,
  attach: `Examples:
  $ spoq attach                               go along with what is at work, from anywhere
  $ spoq attach 4dd3c3a4

Ctrl-C leaves it at work.
`,
  models: `Examples:
  $ spoq models
  $ spoq ask --model claude-haiku-5-5 "…"     ask one of them
  $ spoq models --all                         also those without a key or a price
`,
  budget: `Examples:
  $ spoq budget                               what is spent, and what is left
  $ spoq budget set --day 5 --month 50        most US dollars a day and a month
  $ spoq budget set --conversation none       no limit for a single conversation

They hold for everything that asks your box. Days and months are those of UTC. At a limit work
stops, and what was said is kept.
`,
  keys: `Examples:
  $ spoq keys set anthropic                   asks for it, and shows nothing
  $ spoq keys set openai < key.txt            from a file or a program
  $ spoq keys list
  $ spoq keys remove anthropic

A key is checked with its provider, kept on the box where only the conductor reads it, and used
from then on instead of the one that the box came with. It is never an argument: others see those.
`,
  sync: `Examples:
  $ spoq sync                                 both ways
  $ spoq sync push                            only from here to the box
  $ spoq sync --watch                         and go on, until Ctrl-C
  $ spoq sync --dry-run                       list what would be done

Left out: what .gitignore or .spoqignore name, git's own folders, and what looks secret.
Where both sides changed a file, both versions are kept.
`,
  status: `Examples:
  $ spoq status
  $ spoq status --json | jq .box.version
`,
  logout: `Examples:
  $ spoq logout
`,
  upgrade: `Examples:
  $ spoq upgrade
  $ spoq upgrade --check                      only tell whether there is a newer one
  $ spoq upgrade --force                      also go back to an older one

What is downloaded must be signed with the key that this spoq knows, and has to run here
before it takes the place of this one.
`,
  uninstall: `Examples:
  $ spoq uninstall
  $ spoq uninstall --purge                    sign out as well
`,
  completion: `Examples:
  $ source <(spoq completion bash)            in ~/.bashrc; for zsh likewise, after compinit
  $ spoq completion fish > ~/.config/fish/completions/spoq.fish
`,
};

/** What `spoq --help` ends with. */
export const ENVIRONMENT = `
Environment:
  SPOQ_URL   the control plane, if it isn't https://spoq.dev
  SPOQ_HOME  where the sign-in is kept, if it isn't ~/.spoq
  NO_COLOR   plain text

Exit codes: 0 done, 1 failed, 4 not signed in, 64 wrong usage, 69 box or service cannot be reached,
74 a file here cannot be used, 77 not allowed, 130 stopped by Ctrl-C`;
