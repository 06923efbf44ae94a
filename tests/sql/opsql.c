/* opsql.c - prints each op that PostgreSQL answers as PREPARE name(types) AS statement, one a line. */
#include <stdio.h>
#include <stdlib.h>

#include "ops.h"

int main(void) {
        for (int i = 0; i < OP_COUNT; i++) {
                const char *types[64];
                struct buf sql;
                int n;

                buf_init(&sql, 65536);
                if (op_sql((enum op)i, &sql, types, &n) == 0) {
                        printf("PREPARE %s(", op_desc((enum op)i)->name);
                        for (int k = 0; k < n; k++)
                                printf("%s%s", k ? "," : "", types[k]);
                        printf(") AS %.*s;\n", (int)sql.n, sql.p);
                }
                buf_free(&sql);
        }
        return 0;
}
