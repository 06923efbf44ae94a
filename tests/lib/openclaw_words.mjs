// openclaw_words - what the stand-in says and does of its own: short, always the same, and about what it was asked.
import { userWords } from './openclaw_request.mjs';

/** Text as a model emits it: a word at a time. */
export const words = (text) => text.match(/\S+\s*|\s+/g) ?? [];

const flat = (x) => (typeof x === 'string' ? x : JSON.stringify(x));

/** The newest thing the user wants: what he said last, or what the document is to be like that he asked for. What our
 * daemon sends holds the conversation so far as well; that is over. */
export function said(request) {
  const newest = userWords(request.body.input).at(-1) ?? '';
  const document = /What is known, as one JSON value.*\n(.*)\n\nThe task:/.exec(newest);
  if (document) return Object.values(JSON.parse(document[1]).arguments ?? {}).map(flat).join('\n');
  return newest.split(/^The user now says:\n/m).at(-1);
}

const message = { channel: 'email', subject: 'Embedded engineer role', body: 'Dear hiring manager,\n\nI build firmware that runs for years without a visit. May I show you how?\n\nAda Example' };

/** JSON, also when it was quoted once or twice on its way here. */
function unquoted(text, depth = 0) {
  try { return JSON.parse(text); } catch { /* quoted, or no JSON at all */ }
  if (depth === 3) return undefined;
  try { return unquoted(JSON.parse(`"${text}"`), depth + 1); } catch { return undefined; }
}

/** What the user's words say is to be answered: the last @@fake{...}@@ in them. */
export function marked(request) {
  const mark = [...said(request).matchAll(/@@fake(\{[^]*?\})@@/g)].at(-1);
  return mark && unquoted(mark[1]);
}

/* What the user wants, by his words; the first row that fits and whose function is offered. */
const wishes = [
  [/\b(send|submit)\b/i, 'propose_outreach_send', 'I can send that message for you, as soon as you confirm it.', { recipient: 'hiring@example.com', data: message }],
  [/\b(practi[cs]e|mock|rehears)/i, 'propose_interview_practice', 'Let us practise. I suggest a round of questions.'],
  [/\binterview/i, 'propose_interview', 'I suggest an interview pack for that.'],
  [/\b(change|edit|shorten|rewrite|improve|update)\b.*\b(cv|resume|résumé)\b/i, 'propose_cv_edit', 'I suggest changing the CV like that.'],
  [/\b(cv|resume|résumé)\b/i, 'propose_cv', 'I suggest writing a CV from what you told me.'],
  [/\b(change|edit|shorten|rewrite|improve|update)\b.*\b(mail|message|outreach|letter)\b/i, 'propose_outreach_edit', 'I suggest changing the message like that.'],
  [/\b(e-?mail|message|outreach|contact|write to|letter)\b/i, 'propose_outreach', 'I suggest a draft; nothing is sent before you agree.'],
];

/** A turn (see openclaw_answer.mjs) for a request nobody scripted. */
export function compose(request) {
  const { body } = request;
  const asked = said(request).replace(/\s+/g, ' ').trim();
  const tools = body.tools ?? [];
  const forced = body.tool_choice?.name ?? (body.tool_choice === 'required' ? tools[0]?.name : undefined);
  if (forced) {
    const t = tools.find((x) => x.name === forced);
    return { tools: [{ name: forced, args: fill(t?.parameters ?? {}, asked) }] };
  }
  const wish = wishes.find(([sign, name]) => sign.test(asked) && tools.some((t) => t.name === name));
  if (wish) {
    const schema = tools.find((t) => t.name === wish[1]).parameters ?? {};
    const properties = Object.fromEntries(Object.entries(schema.properties ?? {}).filter(([n]) => schema.required?.includes(n) || n === 'instructions'));
    const args = wish[3] ?? fill({ ...schema, properties }, asked);
    if ('instructions' in args) args.instructions = asked;
    return { text: wish[2], tools: [{ name: wish[1], args }] };
  }
  const word = /\bthe one word: (\w+)/.exec(asked);
  if (word) return { text: word[1] };
  if (/^(hi|hello|hey|good (morning|evening))\b/i.test(asked)) return { text: 'Hello. Tell me about the role you are after.' };
  const heart = asked.split(' ').slice(0, 12).join(' ').replace(/[?.!,;:]+$/, '');
  if (asked.endsWith('?')) return { text: `You ask: ${heart}. That depends on the role; tell me which one you have in mind.` };
  return { text: heart ? `I noted: ${heart}. What would you like to do next?` : 'I am listening.' };
}

/* What a member of that name holds. */
const known = {
  name: 'Ada Example', email: 'ada@example.com', phone: '+1 555 0100', location: 'Lisbon', title: 'Embedded engineer', headline: 'Embedded engineer',
  summary: 'Embedded engineer with ten years of C on small machines.', company: 'Example Works', role: 'Embedded engineer', duration: '30 minutes',
  start: '2019', end: '2026', from: '2019', to: '2026', year: '2019', degree: 'BSc Computer Science', school: 'Example University', institution: 'Example University',
  ...message, type: 'email', recipient: 'hiring@example.com', recipientContext: 'Hiring manager at Example Works',
  question: 'Which failure taught you most?', prompt: 'Which failure taught you most?', tip: 'Say what you changed afterwards.', hint: 'Say what you changed afterwards.',
  followup: 'What would you do differently today?', followUp: 'What would you do differently today?', reason: 'There is nothing to do.', message: 'Shall I go on?', period: '2019 to 2026', description: 'Firmware for a meter that runs ten years on one battery', text: 'Open source: a small scheduler',
  skills: 'C', experience: 'Firmware for a meter that runs ten years on one battery', education: 'BSc Computer Science, Example University',
  tips: 'Say what you changed afterwards.', questions: 'Which failure taught you most?', messages: 'May I show you how I build firmware?', language: 'C',
  markdown: '# Ada Example\n\nEmbedded engineer with ten years of C on small machines.\n\n## Experience\n\n- Firmware for a meter that runs ten years on one battery\n',
};

/** A value that a JSON schema takes, and that reads well. */
export function fill(schema, asked, name = '') {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  const one = schema.anyOf?.[0] ?? schema.oneOf?.[0];
  if (one) return fill(one, asked, name);
  const type = Array.isArray(schema.type) ? schema.type.find((t) => t !== 'null') : schema.type ?? (schema.properties ? 'object' : schema.items ? 'array' : 'string');
  if (type === 'object') return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([n, s]) => [n, fill(s, asked, n)]));
  if (type === 'array') return Array.from({ length: Math.max(1, schema.minItems ?? 1) }, () => fill(schema.items ?? {}, asked, name));
  if (type === 'boolean') return true;
  if (type === 'integer' || type === 'number') return Math.max(schema.minimum ?? 1, Math.min(schema.maximum ?? 1, 1));
  const value = name === 'markdown' ? markdown(asked) : known[name] ?? (words(asked).slice(0, 12).join('').trim() || 'Something sensible');
  return value.padEnd(schema.minLength ?? 0, '.').slice(0, schema.maxLength ?? value.length + (schema.minLength ?? 0));
}

/* Says which words it is about: who reads a demonstration wants to see his own. */
function markdown(asked) {
  const about = asked.split('\n')[0].slice(0, 200).trim();
  return about ? `${known.markdown}\n## Asked for\n\n${about}\n` : known.markdown;
}
