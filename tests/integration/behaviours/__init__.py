"""Forty behaviours that people know from Git LFS, told in git kit's words: by number, where each one is tested.

Names without a folder are files here; ``..`` is tests/integration, ``unit`` is tests/unit. "None" is said where git kit
has no such thing by design: file locks, a server's batch protocol, refs that count as recent, a file for progress.

 1  there and back, drafts gone           test_push.py (round trip); ../test_push_pull.py
 2  clean                                 test_clean_and_smudge.py; ../test_filter_process.py
 3  smudge                                test_clean_and_smudge.py; ../test_filter_process.py (skipped, strict)
 4  the long-running filter               test_filter_process.py, also in ..; ../matrix (swapped files)
 5  content where a pointer should be     test_clean_and_smudge.py (survives at every size); ../test_filter_process.py
 6  empty files                           test_clean_and_smudge.py (never sent); test_checkout.py (keep their time)
 7  which bytes are a pointer             unit/core/test_pointer.py, tests/golden
 8  track                                 test_track_and_attributes.py; unit/setup/test_track_patterns.py
 9  track converts what Git holds         test_track_and_attributes.py (whatever its age); ../test_setup_commands.py
10  patterns, untrack                     test_track_and_attributes.py; unit/git/test_attributes.py
11  attributes from anywhere              test_track_and_attributes.py
12  checkout                              test_checkout.py; ../test_push_pull.py (links, edits); ../matrix (sparse)
13  pull                                  test_checkout.py, test_fetch_and_pull.py; ../test_bad_input.py (lost content)
14  fetch                                 test_fetch_and_pull.py; ../test_bad_input.py (a store that is read-only)
15  recent refs                           none: revisions are named, test_fetch_and_pull.py
16  patterns and odd paths                test_fetch_and_pull.py
17  which remote                          test_push.py (the fork); test_worktrees_and_clones.py (kit.remote)
18  the pre-push hook                     test_push.py; ../test_push_pull.py, ../test_push_proof.py
19  push by hand                          test_push.py; ../test_push_pull.py
20  content missing here                  test_push.py (a hole in the past); ../test_push_pull.py, ../test_bad_input.py
21  a registry that refuses               test_transfers.py; ../test_bad_input.py
22  retries, ranges, rate limits          ../test_registry_transfers.py, ../test_bad_input.py
23  damaged downloads                     ../test_bad_input.py, unit/store/test_layout.py
24  one transfer at a time                test_transfers.py
25  the same content, deleted content     ../test_push_pull.py (each content once, a later commit deletes it)
26  prune                                 ../test_prune.py
27  prune and worktrees                   ../test_prune.py
28  fsck                                  test_listing.py; ../test_filter_process.py, ../test_bad_input.py
29  status                                test_listing.py; ../test_push_pull.py
30  ls-files                              test_listing.py; ../test_push_pull.py
31  migrate import                        ../test_migrate.py
32  migrate info, export, no rewrite      ../test_migrate.py, ../test_migrate_lfs.py
33  install, uninstall, upgrade           test_setup.py; ../test_setup_commands.py; unit/git
34  hook folders, worktree settings       unit/git/test_hooks.py, unit/git/test_filters.py
35  worktrees, borrowed objects           test_worktrees_and_clones.py; ../test_shared_store.py
36  submodules                            test_worktrees_and_clones.py; ../test_filter_process.py; ../matrix
37  several remotes, none                 test_worktrees_and_clones.py
38  merge tools, picks, rewriting         test_rewriting.py; ../test_filter_process.py; ../test_diff_and_merge.py
39  odd names, umask, git in this folder  test_names_and_modes.py, test_setup.py; ../test_filter_process.py; ../matrix
40  file:// remotes, completion, doctor   test_worktrees_and_clones.py; ../test_setup_commands.py; ../test_dedup.py
"""
