/* event_vectors.h - payloads every type must take and payloads it must refuse, written from the rules of the event
 * contract (schema version 1.0), not from events.def. */
#pragma once

struct event_vector {
        const char *type;
        const char *required; /* each of these keys: neither absent, nor null, nor blank */
        const char *good[6], *bad[16];
};

#define UINT_OVER "9007199254740992" /* 2^53: JavaScript cannot tell it from its neighbours */

static const struct event_vector event_vectors[] = {
        { "call.started",
          "callId channel direction provider",
          { "{\"callId\":\"c1\",\"channel\":\"voice\",\"direction\":\"inbound\",\"provider\":\"livekit\"}",
            "{\"callId\":\"c1\",\"channel\":\"video\",\"direction\":\"outbound\",\"provider\":\"x\",\"extra\":{"
            "\"any\":[1]}}" },
          { "{\"callId\":\"c1\",\"channel\":\"fax\",\"direction\":\"inbound\",\"provider\":\"livekit\"}",
            "{\"callId\":\"c1\",\"channel\":\"Voice\",\"direction\":\"inbound\",\"provider\":\"livekit\"}",
            "{\"callId\":\"c1\",\"channel\":\"voice\",\"direction\":\"sideways\",\"provider\":\"livekit\"}",
            "{\"callId\":\"c1\",\"channel\":\"voice|video\",\"direction\":\"inbound\",\"provider\":\"livekit\"}",
            "{\"callId\":\"c1\",\"channel\":[\"voice\"],\"direction\":\"inbound\",\"provider\":\"livekit\"}" } },
        { "call.connecting",
          "callId",
          { "{\"callId\":\"c1\"}", "{\"callId\":\"c1\",\"provider\":\"livekit\"}",
            "{\"callId\":\"c1\",\"provider\":null}" },
          { "{}", "{\"callid\":\"c1\"}", "{\"callId\":\"c1\",\"provider\":7}" } },
        { "call.connected",
          "callId connectedAt",
          { "{\"callId\":\"c1\",\"connectedAt\":\"2026-11-21T07:48:00.000Z\"}",
            "{\"callId\":\"c1\",\"connectedAt\":\"2026-11-21T07:48:00+02:00\",\"providerSessionId\":\"p\"}" },
          { "{\"callId\":\"c1\",\"connectedAt\":\"yesterday\"}", "{\"callId\":\"c1\",\"connectedAt\":1795247280000}",
            "{\"callId\":\"c1\",\"connectedAt\":\"2026-13-01T00:00:00Z\"}",
            "{\"callId\":\"c1\",\"connectedAt\":\"2026-11-21T07:48:00Z\",\"providerSessionId\":{}}" } },
        { "call.reconnecting",
          "callId attempt at",
          { "{\"callId\":\"c1\",\"attempt\":1,\"at\":\"2026-11-21T07:48:00Z\"}",
            "{\"callId\":\"c1\",\"attempt\":0,\"at\":\"2026-11-21T07:48:00Z\",\"reason\":\"network\"}" },
          { "{\"callId\":\"c1\",\"attempt\":-1,\"at\":\"2026-11-21T07:48:00Z\"}",
            "{\"callId\":\"c1\",\"attempt\":1.5,\"at\":\"2026-11-21T07:48:00Z\"}",
            "{\"callId\":\"c1\",\"attempt\":\"1\",\"at\":\"2026-11-21T07:48:00Z\"}",
            "{\"callId\":\"c1\",\"attempt\":1,\"at\":\"soon\"}", "{\"callId\":\"c1\",\"attempt\":1,\"at\":true}" } },
        { "call.ended",
          "callId endedAt durationSeconds endReason",
          { "{\"callId\":\"c1\",\"endedAt\":\"2026-11-21T07:48:00Z\",\"durationSeconds\":0,\"endReason\":"
            "\"completed\"}",
            "{\"callId\":\"c1\",\"endedAt\":\"2026-11-21T07:48:00Z\",\"durationSeconds\":60,\"endReason\":\"user_"
            "hangup\"}",
            "{\"callId\":\"c1\",\"endedAt\":\"2026-11-21T07:48:00Z\",\"durationSeconds\":60,\"endReason\":"
            "\"timeout\"}",
            "{\"callId\":\"c1\",\"endedAt\":\"2026-11-21T07:48:00Z\",\"durationSeconds\":60,\"endReason\":\"agent_"
            "handover\"}",
            "{\"callId\":\"c1\",\"endedAt\":\"2026-11-21T07:48:00Z\",\"durationSeconds\":60,"
            "\"endReason\":\"ended_with_provider_disconnect\"}" },
          { "{\"callId\":\"c1\",\"endedAt\":\"2026-11-21T07:48:00Z\",\"durationSeconds\":60,\"endReason\":\"bored\"}",
            "{\"callId\":\"c1\",\"endedAt\":\"2026-11-21T07:48:00Z\",\"durationSeconds\":-1,\"endReason\":"
            "\"completed\"}",
            "{\"callId\":\"c1\",\"endedAt\":\"2026-11-21T07:48:00Z\",\"durationSeconds\":59.9,\"endReason\":"
            "\"completed\"}",
            "{\"callId\":\"c1\",\"endedAt\":\"2026-11-21T07:48:00Z\",\"durationSeconds\":" UINT_OVER
            ",\"endReason\":\"completed\"}",
            "{\"callId\":\"c1\",\"endedAt\":\"07:48\",\"durationSeconds\":60,\"endReason\":\"completed\"}" } },
        { "call.error",
          "code message retryable",
          { "{\"code\":\"E\",\"message\":\"m\",\"retryable\":true}",
            "{\"code\":\"E\",\"message\":\"m\",\"retryable\":false,\"callId\":\"c1\"}" },
          { "{\"code\":\"E\",\"message\":\"m\",\"retryable\":\"true\"}",
            "{\"code\":\"E\",\"message\":\"m\",\"retryable\":1}",
            "{\"code\":\"E\",\"message\":\"m\",\"retryable\":{}}" } },
        { "call.terminal_failure",
          "callId failedAt code message",
          { "{\"callId\":\"c1\",\"failedAt\":\"2026-11-21T07:48:00Z\",\"code\":\"E\",\"message\":\"m\"}" },
          { "{\"callId\":\"c1\",\"failedAt\":\"21.11.2026\",\"code\":\"E\",\"message\":\"m\"}",
            "{\"callId\":\"c1\",\"failedAt\":0,\"code\":\"E\",\"message\":\"m\"}",
            "{\"callId\":\"c1\",\"failedAt\":\"2026-11-21\",\"code\":\"E\",\"message\":\"m\"}" } },
        { "call.voice.config.updated",
          "callId persona voiceProfileId label synthesisAllowed",
          { "{\"callId\":\"c1\",\"persona\":\"antonio\",\"voiceProfileId\":\"v\",\"label\":\"l\","
            "\"synthesisAllowed\":true}",
            "{\"callId\":\"c1\",\"persona\":\"mariana\",\"voiceProfileId\":\"v\",\"label\":\"l\","
            "\"synthesisAllowed\":false}",
            "{\"callId\":\"c1\",\"persona\":\"both\",\"voiceProfileId\":\"v\",\"label\":\"l\",\"synthesisAllowed\":"
            "true,"
            "\"clonedVoice\":{},\"policyId\":\"p\"}" },
          { "{\"callId\":\"c1\",\"persona\":\"executor\",\"voiceProfileId\":\"v\",\"label\":\"l\","
            "\"synthesisAllowed\":true}",
            "{\"callId\":\"c1\",\"persona\":\"both\",\"voiceProfileId\":\"v\",\"label\":\"l\",\"synthesisAllowed\":"
            "\"yes\"}",
            "{\"callId\":\"c1\",\"persona\":\"both\",\"voiceProfileId\":\"v\",\"label\":\"l\",\"synthesisAllowed\":"
            "0}" } },
        { "call.turn.owner_changed",
          "callId turnId owner",
          { "{\"callId\":\"c1\",\"turnId\":\"t\",\"owner\":\"user\"}",
            "{\"callId\":\"c1\",\"turnId\":\"t\",\"owner\":\"agent\",\"reason\":\"barge-in\"}" },
          { "{\"callId\":\"c1\",\"turnId\":\"t\",\"owner\":\"unknown\"}",
            "{\"callId\":\"c1\",\"turnId\":\"t\",\"owner\":true}",
            "{\"callId\":\"c1\",\"turnId\":\"t\",\"owner\":\"user \"}" } },
        { "call.turn.timing",
          "callId turnId captureToBackendMs orchestratorMs playbackStartMs totalMs sloBreached",
          { "{\"callId\":\"c1\",\"turnId\":\"t\",\"captureToBackendMs\":1,\"orchestratorMs\":2,\"playbackStartMs\":3,"
            "\"totalMs\":6,\"sloBreached\":false}",
            "{\"callId\":\"c1\",\"turnId\":\"t\",\"captureToBackendMs\":0,\"orchestratorMs\":0,\"playbackStartMs\":0,"
            "\"totalMs\":0,\"sloBreached\":true,\"thresholdMs\":2500}" },
          { "{\"callId\":\"c1\",\"turnId\":\"t\",\"captureToBackendMs\":-1,\"orchestratorMs\":2,\"playbackStartMs\":"
            "3,"
            "\"totalMs\":6,\"sloBreached\":false}",
            "{\"callId\":\"c1\",\"turnId\":\"t\",\"captureToBackendMs\":1,\"orchestratorMs\":2.5,\"playbackStartMs\":"
            "3,"
            "\"totalMs\":6,\"sloBreached\":false}",
            "{\"callId\":\"c1\",\"turnId\":\"t\",\"captureToBackendMs\":1,\"orchestratorMs\":2,\"playbackStartMs\":"
            "\"3\","
            "\"totalMs\":6,\"sloBreached\":false}",
            "{\"callId\":\"c1\",\"turnId\":\"t\",\"captureToBackendMs\":1,\"orchestratorMs\":2,\"playbackStartMs\":3,"
            "\"totalMs\":true,\"sloBreached\":false}",
            "{\"callId\":\"c1\",\"turnId\":\"t\",\"captureToBackendMs\":1,\"orchestratorMs\":2,\"playbackStartMs\":3,"
            "\"totalMs\":6,\"sloBreached\":\"no\"}" } },
        { "transcript.partial",
          "utteranceId speaker text startMs endMs",
          { "{\"utteranceId\":\"u\",\"speaker\":\"user\",\"text\":\"hello\",\"startMs\":0,\"endMs\":0}",
            "{\"utteranceId\":\"u\",\"speaker\":\"agent\",\"text\":\" h "
            "\",\"startMs\":5,\"endMs\":9,\"confidence\":0.5}",
            "{\"utteranceId\":\"u\",\"speaker\":\"unknown\",\"text\":\"\xc3\xa9\",\"startMs\":5,\"endMs\":9}" },
          { "{\"utteranceId\":\"u\",\"speaker\":\"both\",\"text\":\"hello\",\"startMs\":0,\"endMs\":0}",
            "{\"utteranceId\":\"u\",\"speaker\":\"user\",\"text\":\"hello\",\"startMs\":-1,\"endMs\":0}",
            "{\"utteranceId\":\"u\",\"speaker\":\"user\",\"text\":\"hello\",\"startMs\":0,\"endMs\":1.5}",
            "{\"utteranceId\":\"u\",\"speaker\":\"user\",\"text\":\"hello\",\"startMs\":\"0\",\"endMs\":1}",
            "{\"utteranceId\":\"u\",\"speaker\":\"user\",\"text\":\"hello\",\"startMs\":10,\"endMs\":9}",
            "{\"utteranceId\":\"u\",\"speaker\":\"user\",\"text\":\"\\u00a0\\u3000\\t\",\"startMs\":0,\"endMs\":"
            "0}" } },
        { "transcript.final",
          "utteranceId speaker text startMs endMs",
          { "{\"utteranceId\":\"u\",\"speaker\":\"user\",\"text\":\"hello\",\"startMs\":0,\"endMs\":100}",
            "{\"utteranceId\":\"u\",\"speaker\":\"agent\",\"text\":\"hello\",\"startMs\":0,\"endMs\":100,"
            "\"confidence\":1}" },
          { "{\"utteranceId\":\"u\",\"speaker\":\"unknown\",\"text\":\"hello\",\"startMs\":0,\"endMs\":100}",
            "{\"utteranceId\":\"u\",\"speaker\":\"user\",\"text\":\"hello\",\"startMs\":0,\"endMs\":-100}",
            "{\"utteranceId\":\"u\",\"speaker\":\"user\",\"text\":\"hello\",\"startMs\":101,\"endMs\":100}",
            "{\"utteranceId\":\"u\",\"speaker\":\"user\",\"text\":\"hello\",\"startMs\":true,\"endMs\":100}" } },
        { "transcript.delta",
          "utteranceId speaker offset",
          { "{\"utteranceId\":\"u\",\"speaker\":\"agent\",\"offset\":0,\"text\":\" \"}",
            "{\"utteranceId\":\"u\",\"speaker\":\"agent\",\"offset\":65535,\"text\":\"h\"}" },
          { "{\"utteranceId\":\"u\",\"speaker\":\"user\",\"offset\":0,\"text\":\"h\"}",
            "{\"utteranceId\":\"u\",\"speaker\":\"agent\",\"offset\":-1,\"text\":\"h\"}",
            "{\"utteranceId\":\"u\",\"speaker\":\"agent\",\"offset\":0,\"text\":5}" } },
        { "orchestration.action.requested",
          "actionId actionType summary",
          { "{\"actionId\":\"a\",\"actionType\":\"cv.edit\",\"summary\":\"s\"}",
            "{\"actionId\":\"a\",\"actionType\":\"cv.edit\",\"summary\":\"s\",\"riskTier\":\"read-only\","
            "\"metadata\":{}}" },
          { "{}", "[]", "{\"actionId\":\"a\",\"actionType\":\"\\n\\t \",\"summary\":\"s\"}" } },
        { "action.proposed",
          "actionId actionType summary",
          { "{\"actionId\":\"a\",\"actionType\":\"cv.edit\",\"summary\":\"s\"}",
            "{\"actionId\":\"a\",\"actionType\":\"cv.edit\",\"summary\":\"s\",\"deliverable\":{\"k\":1}}" },
          { "{}", "null", "{\"actionId\":\"a\",\"actionType\":\"cv.edit\",\"summary\":\"\\ufeff\"}" } },
        { "action.requires_confirmation",
          "actionId reason confirmationToken",
          { "{\"actionId\":\"a\",\"reason\":\"r\",\"confirmationToken\":\"t\"}" },
          { "{}", "\"text\"", "{\"actionId\":\"a\",\"reason\":\"r\",\"confirmation_token\":\"t\"}" } },
        { "action.executed",
          "actionId durationMs",
          { "{\"actionId\":\"a\",\"durationMs\":0}", "{\"actionId\":\"a\",\"durationMs\":12,\"resultRef\":\"r\"}",
            "{\"actionId\":\"a\",\"durationMs\":9007199254740991,\"resultRef\":null}" },
          { "{\"actionId\":\"a\",\"durationMs\":-12}", "{\"actionId\":\"a\",\"durationMs\":\"12\"}",
            "{\"actionId\":\"a\",\"durationMs\":0.1}", "{\"actionId\":\"a\",\"durationMs\":" UINT_OVER "}" } },
        { "action.failed",
          "actionId code message retryable",
          { "{\"actionId\":\"a\",\"code\":\"E\",\"message\":\"m\",\"retryable\":false}" },
          { "{\"actionId\":\"a\",\"code\":\"E\",\"message\":\"m\",\"retryable\":\"false\"}",
            "{\"actionId\":\"a\",\"code\":\"E\",\"message\":\"m\",\"retryable\":0}",
            "{\"actionId\":\"a\",\"code\":\"E\",\"message\":\"m\",\"retryable\":[true]}" } },
        { "safety.blocked",
          "policyId reason decision",
          { "{\"policyId\":\"p\",\"reason\":\"r\",\"decision\":\"blocked\"}",
            "{\"policyId\":\"p\",\"reason\":\"r\",\"decision\":\"blocked\",\"actionId\":\"a\",\"auditMetadata\":{}"
            "}" },
          { "{}", "{\"policyId\":\"p\",\"decision\":\"blocked\"}", "{\"policyId\":\"p\",\"reason\":\"r\"}" } },
        { "safety.approved",
          "policyId decision",
          { "{\"policyId\":\"p\",\"decision\":\"approved\"}",
            "{\"policyId\":\"p\",\"decision\":\"approved\",\"reason\":\"r\",\"riskTier\":\"low-risk-write\"}" },
          { "{}", "{\"policyId\":\"p\"}", "{\"decision\":\"approved\"}" } },
        { "billing.usage.recorded",
          "meterId",
          { "{\"meterId\":\"m\",\"billableSeconds\":0}", "{\"meterId\":\"m\",\"quantity\":1,\"unit\":\"count\"}",
            "{\"meterId\":\"m\",\"quantity\":61,\"unit\":\"seconds\",\"billableSeconds\":61,\"signature\":\"ab\"}" },
          { "{\"meterId\":\"m\"}", "{\"meterId\":\"m\",\"billableSeconds\":-1}",
            "{\"meterId\":\"m\",\"billableSeconds\":1.5}", "{\"meterId\":\"m\",\"billableSeconds\":\"60\"}",
            "{\"meterId\":\"m\",\"quantity\":1}", "{\"meterId\":\"m\",\"unit\":\"count\"}",
            "{\"meterId\":\"m\",\"quantity\":1,\"unit\":\"minutes\"}",
            "{\"meterId\":\"m\",\"quantity\":-1,\"unit\":\"count\"}",
            "{\"meterId\":\"m\",\"quantity\":\"1\",\"unit\":\"count\"}", "{\"billableSeconds\":60}" } },
        { "billing.adjustment.created",
          "adjustmentId meterId amount currency",
          { "{\"adjustmentId\":\"a\",\"meterId\":\"m\",\"amount\":-12.5,\"currency\":\"EUR\"}",
            "{\"adjustmentId\":\"a\",\"meterId\":\"m\",\"amount\":0,\"currency\":\"EUR\",\"reason\":\"r\"}" },
          { "{\"adjustmentId\":\"a\",\"meterId\":\"m\",\"amount\":\"12.5\",\"currency\":\"EUR\"}",
            "{\"adjustmentId\":\"a\",\"meterId\":\"m\",\"amount\":true,\"currency\":\"EUR\"}",
            "{\"adjustmentId\":\"a\",\"meterId\":\"m\",\"amount\":{},\"currency\":\"EUR\"}" } },
        { "usage.tick",
          "meterId",
          { "{\"meterId\":\"m\",\"billableSeconds\":60}", "{\"meterId\":\"m\",\"quantity\":0,\"unit\":\"seconds\"}" },
          { "{\"meterId\":\"m\"}", "{\"meterId\":\"m\",\"quantity\":1,\"unit\":\"hours\"}",
            "{\"meterId\":\"m\",\"billableSeconds\":true}",
            "{\"meterId\":\"m\",\"quantity\":2.5,\"unit\":\"seconds\"}" } },
        { "usage.warning",
          "meterId thresholdType thresholdValue currentValue message",
          { "{\"meterId\":\"m\",\"thresholdType\":\"seconds\",\"thresholdValue\":3600,\"currentValue\":3000,"
            "\"message\":\"x\"}",
            "{\"meterId\":\"m\",\"thresholdType\":\"cost\",\"thresholdValue\":\"12.50\",\"currentValue\":\"10.00\","
            "\"message\":\"x\"}" },
          { "{\"meterId\":\"m\",\"thresholdType\":\"minutes\",\"thresholdValue\":1,\"currentValue\":1,\"message\":"
            "\"x\"}",
            "{\"meterId\":\"m\",\"thresholdType\":\"\",\"thresholdValue\":1,\"currentValue\":1,\"message\":\"x\"}",
            "{\"meterId\":\"m\",\"thresholdType\":1,\"thresholdValue\":1,\"currentValue\":1,\"message\":\"x\"}" } },
        { "usage.stopped",
          "meterId finalBillableSeconds reason",
          { "{\"meterId\":\"m\",\"finalBillableSeconds\":60,\"reason\":\"budget_exceeded\"}",
            "{\"meterId\":\"m\",\"finalBillableSeconds\":0,\"reason\":\"policy_limit\"}",
            "{\"meterId\":\"m\",\"finalBillableSeconds\":1,\"reason\":\"manual_stop\"}" },
          { "{\"meterId\":\"m\",\"finalBillableSeconds\":60,\"reason\":\"done\"}",
            "{\"meterId\":\"m\",\"finalBillableSeconds\":-1,\"reason\":\"manual_stop\"}",
            "{\"meterId\":\"m\",\"finalBillableSeconds\":0.5,\"reason\":\"manual_stop\"}",
            "{\"meterId\":\"m\",\"finalBillableSeconds\":\"60\",\"reason\":\"manual_stop\"}" } },
};
