/* policy.h - prints migrations/api/05_policy.sql from policy/actions.def. */
#pragma once

void policy_sql(void);
