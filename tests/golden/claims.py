"""Which test stands behind every reference result, and why the others wait.

A pattern is matched (`fnmatch`) against the name of a file in ``../shared/reference/goldens`` without its ending;
every file must match exactly one pattern of the two tables.
"""

from __future__ import annotations

AUGSYNTH = "tests/golden/test_augsynth.py"
BACON = "tests/golden/test_bacon.py"
CROSS_SECTIONS = "tests/golden/test_cross_sections.py"
DRDID = "tests/golden/test_drdid.py"
EBAL = "tests/golden/test_ebal.py"
FIXEST = "tests/golden/test_fixest.py"
GROUP_TIME = "tests/golden/test_group_time.py"
HONEST = "tests/golden/test_honest.py"
IMPUTATION = "tests/golden/test_imputation.py"
MATCHIT = "tests/golden/test_matchit.py"
MULTIPLIER = "tests/golden/test_multiplier.py"
MULTISYNTH = "tests/golden/test_multisynth.py"
PRETRENDS = "tests/golden/test_pretrends.py"
PROP99 = "tests/golden/test_prop99.py"
SCPI = "tests/golden/test_scpi.py"
SPATIAL = "tests/golden/test_spatial.py"
SYNTH = "tests/golden/test_synth.py"
WEIGHTIT = "tests/golden/test_weightit.py"
WILD = "tests/golden/test_wild.py"

CLAIMED: dict[str, str] = {
    "did_basestagg_*": DRDID,
    # "ipw_ht_*" inside is left: Horvitz-Thompson weights do not sum to one, and the normalised ones are "ipw".
    "drdid_nsw": DRDID,
    "did_mpdtaRC_*": CROSS_SECTIONS,
    "did_mpdtaUB_*": CROSS_SECTIONS,
    "did_mpdta_*_ant[01]_*": GROUP_TIME,
    "did_mpdta_aggte_options": GROUP_TIME,
    "did_mpdta_clusterstate_*": GROUP_TIME,
    "did_mpdta_weights_*": GROUP_TIME,
    "did_mpdta_dr_lpop_multiplierboot": MULTIPLIER,
    "did2s_*": IMPUTATION,
    "didimp_*": IMPUTATION,
    "ebal_lalonde": EBAL,
    "etwfe_mpdta": IMPUTATION,
    "honestdid_*": HONEST,
    "pretrends_hewang": PRETRENDS,
    "bacon_*": BACON,
    # "triangular" distances are left; see the file.
    "fixest_conley_quakes": SPATIAL,
    "fixest_es_basedid": FIXEST,
    "fixest_sunab_*": FIXEST,
    "fixest_twfe_*": FIXEST,
    "augsynth_kansas_*": AUGSYNTH,
    "augsynth_prop99_ridge": AUGSYNTH,
    "augsynth_prop99_none": PROP99,
    "matchit_cem": MATCHIT,
    "matchit_exact": MATCHIT,
    "matchit_nn_*": MATCHIT,
    "matchit_optimal_glm": MATCHIT,
    "multisynth_castle": MULTISYNTH,
    "scpi_germany_simplex_outcome": SCPI,
    "synth_prop99": SYNTH,
    "synth_prop99_equalV": SYNTH,
    "synth_prop99_placebo": SYNTH,
    "synth_prop99_outcomesonly_equalV": PROP99,
    "synthdid_prop99": PROP99,
    "synthdid_prop99_converged": PROP99,
    "crv3_mpdta_state": WILD,
    "sandwich_mpdta_state": WILD,
    "wcb_mpdta_state_*": WILD,
    "weightit_*": WEIGHTIT,
}

WAIVED: dict[str, str] = {
    # difference-in-differences
    "fixest_feols_trade": "Trade flows with four sets of fixed effects are no panel of units and periods; no estimator "
    "of the difference-in-differences part runs such a regression, and a test of statsmodels would test statsmodels.",
    "fixest_fepois_trade": "The same four sets of fixed effects with a covariate; the poisson estimator of the "
    "difference-in-differences part has units and periods only, and is held to statsmodels and to unit dummies.",
    # synthetic control
    "fect_turnout_*": "Counterfactual estimators with factors (interactive-fixed-effects, matrix-completion) are "
    "reserved for a later part.",
    "gsynth_turnout_r2": "The interactive-fixed-effects estimator is reserved for a later part.",
    "mcpanel_prop99": "The matrix-completion estimator is reserved for a later part.",
    # design
    "matchit_subclass6": "Classes of the propensity score are the coarse form of full matching, which the design part "
    "has.",
    # inference and checks
}
