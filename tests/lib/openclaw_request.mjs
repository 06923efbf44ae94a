// openclaw_request - what the gateway takes for a request to /v1/responses, and how it refuses what it does not.

export const BODY_MAX = 20 << 20;

const string = (x) => typeof x === 'string';
const number = (least, most) => (x) => typeof x === 'number' && x >= least && x <= most;
const object = (x) => x !== null && typeof x === 'object' && !Array.isArray(x);
const any = () => true;

/** Every member a request may have; any other is refused. */
const members = {
  model: (x) => string(x) && x !== '',
  input: (x) => string(x) || Array.isArray(x),
  instructions: string,
  tools: (x) => Array.isArray(x) && x.every(tool),
  tool_choice: (x) => ['auto', 'none', 'required'].includes(x) || (object(x) && x.type === 'function' && string(x.name)),
  stream: (x) => typeof x === 'boolean',
  max_output_tokens: (x) => Number.isInteger(x) && x > 0,
  temperature: number(0, 2),
  top_p: number(0, 1),
  user: string,
  previous_response_id: string,
  text: (x) => object(x) && x.format?.type === 'text',
  metadata: (x) => object(x) && Object.values(x).every(string),
  store: any, truncation: any, reasoning: any, max_tool_calls: any,
};

/** A tool is flat here: {"type":"function","name",...}. */
function tool(t) {
  return object(t) && t.type === 'function' && string(t.name) && t.name !== ''
    && Object.keys(t).every((k) => ['type', 'name', 'description', 'parameters', 'strict'].includes(k));
}

const builtin = new Set(['exec', 'process', 'read', 'write', 'edit', 'apply_patch', 'browser', 'canvas', 'cron', 'message', 'gateway', 'image']);

const text = (content) => (string(content) ? content : (content ?? []).map((p) => p.text ?? p.output ?? '').join(''));

/** The words of the user, one message after the other, and those of nobody else. */
export function userWords(input) {
  if (string(input)) return [input];
  return input.filter((i) => i?.role === 'user' || i?.type === 'function_call_output').map((i) => (i.role ? text(i.content) : String(i.output)));
}

/** {body, session}, with `fails` if the run does before it begins; or {refusal: [status, type, message]}. */
export function check(raw, headers, agent) {
  const refusal = (message) => ({ refusal: [400, 'invalid_request_error', message] });
  let body;
  try { body = JSON.parse(raw); } catch { return refusal('Invalid JSON'); }
  if (!object(body)) return refusal(': Invalid input');
  for (const [name, value] of Object.entries(body)) {
    if (!Object.hasOwn(members, name)) return refusal(`: Unrecognized key: "${name}"`);
    if (!members[name](value)) return refusal(`${name}: Invalid input`);
  }
  for (const name of ['model', 'input']) if (body[name] === undefined) return refusal(`${name}: Invalid input`);
  const asked = /^openclaw(?:\/(.+))?$/.exec(body.model);
  if (!asked) return refusal('Invalid `model`. Use `openclaw` or `openclaw/<agentId>`.');
  const wanted = headers['x-openclaw-agent-id'] ?? asked[1] ?? 'default';
  if (wanted !== agent && wanted !== 'default') return refusal(`Unknown agent '${wanted}'.`);
  if (!userWords(body.input).join('')) return refusal('Missing user message in `input`.');
  const key = headers['x-openclaw-session-key'];
  if (key && /^(agent:[^:]*:)?(subagent|cron|acp):/.test(key)) return refusal('`x-openclaw-session-key` cannot use reserved internal session namespaces.');
  const names = (body.tools ?? []).map((t) => t.name);
  const forced = object(body.tool_choice) ? body.tool_choice.name : undefined;
  if ((forced && !names.includes(forced)) || (body.tool_choice === 'required' && names.length === 0)) return refusal('invalid tool configuration');
  const request = { body, session: key ?? `random ${Math.random()}` };
  if (new Set(names).size !== names.length || names.some((n) => builtin.has(n)))
    request.fails = { code: 'invalid_request_error', message: 'invalid tool configuration' };
  else if ((key && /^agent:([^:]*):/.exec(key)?.[1] !== agent) || !userWords(body.input).join('').trim())
    request.fails = { code: 'api_error', message: 'internal error' };
  return request;
}
