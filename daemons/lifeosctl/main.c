/* main.c - lifeosctl: the operator's command line; this table is everything it can do. */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "ctl.h"
#include "log.h"

static const struct command commands[] = {
        { "token", "--user U [--account A] [--role R] [--ttl SECONDS] [--quiet]",
          "sign a token for a person's client; the token alone goes to stdout",
          "  --user U        who (the token's sub), 1 to 128 printable characters\n"
          "  --account A     the tenant; default: the user\n"
          "  --role R        owner, admin, member or viewer; default: owner\n"
          "  --ttl SECONDS   60 to 31536000; default: 86400 (a day)\n"
          "  --quiet         no hints\n",
          run_token },
        { "key create", "--scope ingest|operator [--account A] [--label L] [--expires DAYS]",
          "make an API key for a service; it is shown once",
          "  --scope S       ingest: may append and read events; operator: may run the appliance\n"
          "  --account A     the one tenant it may act for; default: * (every tenant)\n"
          "  --label L       a note for the list\n"
          "  --expires DAYS  default: never\n",
          run_key_create },
        { "key list", "[--account A] [--json]", "show the API keys, without their secrets",
          "  --account A     only this tenant's\n"
          "  --json          the writer's answer as it came\n",
          run_key_list },
        { "key revoke", "ID", "end an API key; ID is the middle part of lok_ID_secret", "", run_key_revoke },
        { "account set",
          "A [--status active|suspended] [--livekit-agents a,b] [--ai-tokens-per-day N] [--delivery-url U] "
          "[--action-rules T=R,...] [--adjustments one-person|two-person]",
          "change a tenant",
          "  --status S              suspended: its people and keys are refused\n"
          "  --livekit-agents a,b    the agents it may have dispatched into its rooms; \"\" for none\n"
          "  --ai-tokens-per-day N   what its turns and actions may use a day (UTC); 0: what the appliance allows\n"
          "  --delivery-url U        where confirmed messages are handed to, https://...; \"\" for nowhere\n"
          "  --action-rules T=R,...  its own rules, stricter than the policy's: cv.edit=confirm or =refuse; they\n"
          "                          replace those before; \"\" for none\n"
          "  --adjustments P         two-person: what is given back or asked for waits for a second operator\n",
          run_account_set },
        { "prices set", "[--account A] --currency C [--from TIME] FILE|-",
          "the next version of a price book: what a meter's units cost from then on",
          "  --account A     this tenant's own book; default: the appliance's, for all without one\n"
          "  --currency C    ISO 4217: EUR, USD, JPY, ...\n"
          "  --from TIME     2026-01-31T00:00:00Z; default: now\n"
          "  FILE            JSON: {\"METER\":{\"minor\":N,\"per\":N},...}, N minor units for each so many units;\n"
          "                  -: from stdin\n",
          run_prices_set },
        { "prices list", "[--account A]", "show the price books, all versions",
          "  --account A     this tenant's and the appliance's; default: all\n", run_prices_list },
        { "erase", "--account A --session S [--from N] [--to N] --yes",
          "erase what was said in a call, for good; its events remain, without their payloads",
          "  --account A     the tenant\n"
          "  --session S     the call session\n"
          "  --from N        from this sequence on; default: the first\n"
          "  --to N          up to this one; default: the newest at this moment\n"
          "  --yes           without it nothing is done: this cannot be undone\n",
          run_erase },
        { "keys init", "[DIR] [--current-user]", "make the daemons' keys, each in its own folder below DIR",
          "  DIR             default: what --keys says\n"
          "  --current-user  all daemons run as the caller, not as the users of the package; DIR remembers it\n"
          "  Never replaces a key: run it again to complete a tree or after an upgrade.\n",
          run_keys_init },
        { "keys rotate", "KIND [--forget-old]", "replace a daemon's key, or one that signs",
          "  KIND            frontend, webhook, writer, issuer, ctl, reconcile, openclaw: its signing key;\n"
          "                  tokens: the key that signs user tokens; billing: those that sign usage records\n"
          "  --forget-old    stop believing the replaced key; without it both are believed until the next rotation\n",
          run_keys_rotate },
        { "livekit set-keys", "", "read LiveKit's API keys from stdin, one \"key secret\" a line",
          "  The first one signs tokens, all of them verify webhooks. No input: LiveKit is switched off.\n",
          run_livekit_set_keys },
        { "openclaw set-token", "", "read the OpenClaw gateway's token from stdin",
          "  One line of at least 24 printable characters. No input: the AI is switched off.\n",
          run_openclaw_set_token },
        { "openclaw set-ca", "FILE|-",
          "whom to believe the OpenClaw gateway's certificate, if it has an https:// address",
          "  FILE            PEM certificates; -: from stdin. An empty one: those that this machine believes.\n",
          run_openclaw_set_ca },
        { "openclaw pin", "[--print] [--file F]",
          "have systemd let the openclaw daemon reach the address of openclaw_url, and no other",
          "  --print         print the drop-in instead of writing it\n"
          "  --file F        default: /etc/systemd/system/lifeos-openclaw.service.d/10-address.conf\n"
          "  To be repeated when openclaw_url or the addresses of its host change.\n",
          run_openclaw_pin },
        { "tls", "--cert FILE [--listen [A]:P] [--write] [--file F] [--force]",
          "print or write the configuration of hitch, which serves TLS in front of the gateway",
          "  --cert FILE     a PEM file with certificate, chain and private key, not readable by everybody\n"
          "  --listen [A]:P  where; default: [*]:443\n"
          "  --write         write it to --file instead of stdout\n"
          "  --file F        default: /etc/hitch/hitch.conf\n"
          "  --force         also over a file that lifeosctl did not write\n",
          run_tls },
        { "config example", "", "print every setting with its bounds, default and meaning", "", run_config_example },
        { "config check", "[FILE]", "say what is wrong with a configuration file, or that nothing is", "",
          run_config_check },
        { "status", "", "ask the writer, through it the database, and the issuer whether they answer", "",
          run_status },
};
#define N_COMMANDS (sizeof commands / sizeof *commands)

/* How many of the arguments are this command's words; 0 if they are not. */
static int match(const struct command *c, int argc, char **argv) {
        const char *at = c->words;

        for (int i = 0; i < argc; i++) {
                size_t n = strlen(argv[i]);

                if (strncmp(at, argv[i], n) != 0 || (at[n] != ' ' && at[n] != 0))
                        return 0;
                if (at[n] == 0)
                        return i + 1;
                at += n + 1;
        }
        return 0;
}

static void help_one(const struct command *c) {
        printf("lifeosctl %s %s\n\n  %s\n%s%s", c->words, c->args, c->summary, *c->help ? "\n" : "", c->help);
}

static int help(int argc, char **argv) {
        bool found = false;

        for (size_t i = 0; i < N_COMMANDS; i++) {
                size_t n = argc > 0 ? strlen(argv[0]) : 0;

                /* "help key" shows all that start with that word */
                if (argc > 0 && match(&commands[i], argc, argv) == 0 &&
                    (argc != 1 || strncmp(commands[i].words, argv[0], n) != 0 || commands[i].words[n] != ' '))
                        continue;
                if (argc > 0) {
                        printf("%s", found ? "\n" : "");
                        help_one(&commands[i]);
                } else {
                        printf("%-19s %s\n", commands[i].words, commands[i].summary);
                }
                found = true;
        }
        if (!found)
                return ctl_fail("no such command; lifeosctl help lists them"), CTL_USAGE;
        if (argc == 0)
                puts("\nlifeosctl help COMMAND tells more. Everywhere:\n"
                     "  --runtime DIR   where the daemons' sockets are; default /run/lifeos\n"
                     "  --keys DIR      where their keys are; default /var/lib/lifeos/keys\n"
                     "  --config FILE   default /etc/lifeos/gateway.conf");
        return CTL_DONE;
}

int main(int argc, char **argv) {
        struct ctl ctl = { .runtime = "/run/lifeos",
                           .keys = "/var/lib/lifeos/keys",
                           .config = "/etc/lifeos/gateway.conf" };
        int n = ctl_global_options(&ctl, argc - 1, argv + 1);

        argv++;
        if (n < 0)
                return CTL_USAGE;
        if (sodium_init() < 0)
                return ctl_fail("libsodium cannot start");
#ifndef LIFEOS_SANITIZED
        prctl(PR_SET_DUMPABLE, 0); /* keys pass through: no core, no ptrace by the same user */
#endif
        (void)umask(077);
        (void)signal(SIGPIPE, SIG_IGN);
        log_open("lifeosctl");
        log_set_level(LOG_WARN);
        if (n == 0 || strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0)
                return help(n > 0 ? n - 1 : 0, argv + 1);
        if (strcmp(argv[0], "--version") == 0)
                return puts("lifeosctl " LIFEOS_VERSION), CTL_DONE;
        if (n > 0 && strcmp(argv[n - 1], "--help") == 0)
                return help(n - 1, argv);
        for (size_t i = 0; i < N_COMMANDS; i++) {
                int words = match(&commands[i], n, argv);

                if (words > 0) {
                        ctl.command = &commands[i];
                        return commands[i].run(&ctl, n - words, argv + words);
                }
        }
        return ctl_fail("no such command; lifeosctl help lists them"), CTL_USAGE;
}
