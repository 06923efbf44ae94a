// vectors.mjs - payloads that the rules accept and refuse, written from the rules of the 24 types.
const at = '2026-03-04T05:06:07.089Z';
const usage = { meterId: 'call.duration.seconds', billableSeconds: 12 };

export const good = {
  'call.started': { callId: 'c1', channel: 'voice', direction: 'outbound', provider: 'livekit' },
  'call.connecting': { callId: 'c1', provider: 'livekit' },
  'call.connected': { callId: 'c1', connectedAt: at, providerSessionId: 'RM_1' },
  'call.reconnecting': { callId: 'c1', attempt: 0, at, reason: 'network' },
  'call.ended': { callId: 'c1', endedAt: at, durationSeconds: 0, endReason: 'user_hangup' },
  'call.error': { code: 'X', message: 'something', retryable: false },
  'call.terminal_failure': { callId: 'c1', failedAt: at, code: 'X', message: 'gone' },
  'call.voice.config.updated': { callId: 'c1', persona: 'both', voiceProfileId: 'v', label: 'L', synthesisAllowed: true, clonedVoice: false },
  'call.turn.owner_changed': { callId: 'c1', turnId: 't', owner: 'agent', reason: 'assistant_processing' },
  'call.turn.timing': { callId: 'c1', turnId: 't', captureToBackendMs: 1, orchestratorMs: 2, playbackStartMs: 3, totalMs: 6, sloBreached: false },
  'transcript.partial': { utteranceId: 'u', speaker: 'unknown', text: 'héllo 🎧', startMs: 0, endMs: 0, confidence: 0.5 },
  'transcript.final': { utteranceId: 'u', speaker: 'agent', text: 'done', startMs: 5, endMs: 9 },
  'orchestration.action.requested': { actionId: 'a', actionType: 'cv.edit', summary: 's', metadata: { deep: [1, { x: null }] } },
  'action.proposed': { actionId: 'a', actionType: 'cv.edit', summary: 's' },
  'action.requires_confirmation': { actionId: 'a', reason: 'because', confirmationToken: 'tok' },
  'action.executed': { actionId: 'a', durationMs: 3, resultRef: 'r' },
  'action.failed': { actionId: 'a', code: 'X', message: 'm', retryable: true },
  'safety.blocked': { policyId: 'p', reason: 'r', decision: 'blocked' },
  'safety.approved': { policyId: 'p', decision: 'approved' },
  'billing.usage.recorded': usage,
  'billing.adjustment.created': { adjustmentId: 'adj', meterId: 'm', amount: -1.5, currency: 'EUR' },
  'usage.tick': { meterId: 'm', quantity: 3, unit: 'count' },
  'usage.warning': { meterId: 'm', thresholdType: 'cost', thresholdValue: 10, currentValue: '9.5', message: 'close' },
  'usage.stopped': { meterId: 'm', finalBillableSeconds: 60, reason: 'budget_exceeded' },
};

const without = (type, key) => { const { [key]: _, ...rest } = good[type]; return [type, rest]; };
const withKey = (type, key, value) => [type, { ...good[type], [key]: value }];

/** Every key that the rules require, left out, null and blank. */
const required = {
  'call.started': ['callId', 'channel', 'direction', 'provider'], 'call.connecting': ['callId'],
  'call.connected': ['callId', 'connectedAt'], 'call.reconnecting': ['callId', 'attempt', 'at'],
  'call.ended': ['callId', 'endedAt', 'durationSeconds', 'endReason'], 'call.error': ['code', 'message', 'retryable'],
  'call.terminal_failure': ['callId', 'failedAt', 'code', 'message'],
  'call.voice.config.updated': ['callId', 'persona', 'voiceProfileId', 'label', 'synthesisAllowed'],
  'call.turn.owner_changed': ['callId', 'turnId', 'owner'],
  'call.turn.timing': ['callId', 'turnId', 'captureToBackendMs', 'orchestratorMs', 'playbackStartMs', 'totalMs', 'sloBreached'],
  'transcript.partial': ['utteranceId', 'speaker', 'text', 'startMs', 'endMs'],
  'transcript.final': ['utteranceId', 'speaker', 'text', 'startMs', 'endMs'],
  'orchestration.action.requested': ['actionId', 'actionType', 'summary'], 'action.proposed': ['actionId', 'actionType', 'summary'],
  'action.requires_confirmation': ['actionId', 'reason', 'confirmationToken'], 'action.executed': ['actionId', 'durationMs'],
  'action.failed': ['actionId', 'code', 'message', 'retryable'], 'safety.blocked': ['policyId', 'reason', 'decision'],
  'safety.approved': ['policyId', 'decision'], 'billing.usage.recorded': ['meterId', 'billableSeconds'],
  'billing.adjustment.created': ['adjustmentId', 'meterId', 'amount', 'currency'], 'usage.tick': ['meterId', 'quantity', 'unit'],
  'usage.warning': ['meterId', 'thresholdType', 'thresholdValue', 'currentValue', 'message'],
  'usage.stopped': ['meterId', 'finalBillableSeconds', 'reason'],
};

export const bad = [
  ...Object.entries(required).flatMap(([type, keys]) => keys.flatMap((key) => [without(type, key), withKey(type, key, null), withKey(type, key, '  ')])),
  withKey('call.started', 'channel', 'fax'), withKey('call.started', 'direction', 'sideways'), withKey('call.started', 'callId', 7),
  withKey('call.connected', 'connectedAt', 'soon'), withKey('call.connected', 'connectedAt', 1700000000),
  withKey('call.connected', 'connectedAt', '2026-02-30T00:00:00Z'),
  withKey('call.reconnecting', 'attempt', -1), withKey('call.reconnecting', 'attempt', 1.5), withKey('call.reconnecting', 'attempt', '1'),
  withKey('call.ended', 'endReason', 'bored'), withKey('call.ended', 'durationSeconds', 1e21),
  withKey('call.error', 'retryable', 'true'), withKey('call.voice.config.updated', 'persona', 'toString'),
  withKey('call.voice.config.updated', 'synthesisAllowed', 1), withKey('call.turn.owner_changed', 'owner', 'AGENT'),
  withKey('call.turn.timing', 'totalMs', -3), withKey('call.turn.timing', 'sloBreached', 0),
  withKey('transcript.final', 'speaker', 'unknown'), withKey('transcript.partial', 'speaker', 'dog'),
  withKey('transcript.partial', 'text', { a: 1 }), ['transcript.partial', { ...good['transcript.partial'], startMs: 9, endMs: 8 }],
  withKey('action.executed', 'durationMs', '3'), withKey('action.failed', 'retryable', null),
  ['billing.usage.recorded', { meterId: 'm', quantity: 3 }], ['billing.usage.recorded', { meterId: 'm', quantity: 3, unit: 'pounds' }],
  withKey('billing.adjustment.created', 'amount', '1.5'), withKey('usage.warning', 'thresholdType', 'mood'),
  withKey('usage.warning', 'thresholdValue', true), withKey('usage.stopped', 'reason', 'whim'),
];
