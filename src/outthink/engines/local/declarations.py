"""The part of llama.cpp's C interface that the embedded engine uses, and the marks by which a library is recognised.

The library is driven in cffi's ABI mode, without a compiler, so a struct that is laid out differently would be read as garbage without a
warning. llama.cpp inserts fields between builds. `CONTEXT_DEFAULTS` and `MODEL_DEFAULTS` are therefore compared with what the library
itself fills in: fields with telling defaults (512, 2048, -1, true) stand before and after every place that was ever changed.

Source: include/llama.h of llama.cpp, as of the build inside the pinned wheel; only what is called is declared. `reserved` is a pointer of
that build which this engine never sets.
"""

from __future__ import annotations

from typing import Final

WHEEL: Final = "xllamacpp"
WHEEL_VERSION: Final = "2026.10.11549"
LIBRARY_VERSION: Final = "0.6.0-dev"

F16: Final = 1
FLASH_ATTENTION_ON: Final = 1

CDEF: Final = """
typedef int32_t llama_pos;
typedef int32_t llama_token;
typedef int32_t llama_seq_id;
typedef struct llama_model llama_model;
typedef struct llama_context llama_context;
typedef struct llama_vocab llama_vocab;
typedef struct llama_memory_i * llama_memory_t;

typedef struct {
    int32_t n_tokens;
    llama_token * token;
    float * embd;
    llama_pos * pos;
    int32_t * n_seq_id;
    llama_seq_id ** seq_id;
    int8_t * logits;
} llama_batch;

typedef struct {
    void * devices;
    void * tensor_buft_overrides;
    int32_t n_gpu_layers;
    int split_mode;
    int load_mode;
    int lazy_mode;
    int32_t main_gpu;
    const float * tensor_split;
    void * progress_callback;
    void * progress_callback_user_data;
    void * kv_overrides;
    bool vocab_only;
    bool check_tensors;
    bool use_extra_bufts;
    bool no_host;
    bool no_alloc;
    bool load_mtp;
} llama_model_params;

typedef struct {
    uint32_t n_ctx;
    uint32_t n_batch;
    uint32_t n_ubatch;
    uint32_t n_seq_max;
    uint32_t n_rs_seq;
    uint32_t n_outputs_max;
    uint32_t n_outputs_max_per_seq;
    int32_t n_threads;
    int32_t n_threads_batch;
    int ctx_type;
    int rope_scaling_type;
    int pooling_type;
    int attention_type;
    int flash_attn_type;
    float rope_freq_base;
    float rope_freq_scale;
    float yarn_ext_factor;
    float yarn_attn_factor;
    float yarn_beta_fast;
    float yarn_beta_slow;
    uint32_t yarn_orig_ctx;
    float defrag_thold;
    void * cb_eval;
    void * cb_eval_user_data;
    int type_k;
    int type_v;
    void * abort_callback;
    void * abort_callback_data;
    void * reserved;
    bool embeddings;
    bool offload_kqv;
    bool no_perf;
    bool op_offload;
    bool swa_full;
    bool kv_unified;
    void * samplers;
    size_t n_samplers;
    void * ctx_other;
} llama_context_params;

typedef void (*log_callback)(int level, const char * text, void * user_data);

const char * llama_version(void);
void llama_backend_init(void);
void llama_log_set(log_callback callback, void * user_data);
llama_model_params llama_model_default_params(void);
llama_context_params llama_context_default_params(void);

llama_model * llama_model_load_from_file(const char * path, llama_model_params params);
void llama_model_free(llama_model * model);
const llama_vocab * llama_model_get_vocab(const llama_model * model);
int32_t llama_model_n_ctx_train(const llama_model * model);
int32_t llama_model_n_embd(const llama_model * model);
int32_t llama_model_n_layer(const llama_model * model);
bool llama_model_has_encoder(const llama_model * model);
bool llama_model_is_recurrent(const llama_model * model);
bool llama_model_is_hybrid(const llama_model * model);
int32_t llama_model_n_swa(const llama_model * model);
int32_t llama_model_meta_val_str(const llama_model * model, const char * key, char * buffer, size_t size);
const char * llama_model_chat_template(const llama_model * model, const char * name);

llama_context * llama_init_from_model(llama_model * model, llama_context_params params);
void llama_free(llama_context * context);
uint32_t llama_n_ctx(const llama_context * context);
uint32_t llama_n_seq_max(const llama_context * context);
int32_t llama_n_threads(llama_context * context);
llama_memory_t llama_get_memory(const llama_context * context);
void llama_memory_clear(llama_memory_t memory, bool data);
bool llama_memory_seq_rm(llama_memory_t memory, llama_seq_id sequence, llama_pos first, llama_pos end);
void llama_memory_seq_cp(llama_memory_t memory, llama_seq_id source, llama_seq_id target, llama_pos first, llama_pos end);
llama_batch llama_batch_init(int32_t tokens, int32_t width, int32_t sequences);
void llama_batch_free(llama_batch batch);
int32_t llama_decode(llama_context * context, llama_batch batch);
void llama_set_embeddings(llama_context * context, bool embeddings);
float * llama_get_logits(llama_context * context);
float * llama_get_embeddings(llama_context * context);

int32_t llama_vocab_n_tokens(const llama_vocab * vocab);
llama_token llama_vocab_bos(const llama_vocab * vocab);
llama_token llama_vocab_eos(const llama_vocab * vocab);
bool llama_vocab_get_add_bos(const llama_vocab * vocab);
bool llama_vocab_is_eog(const llama_vocab * vocab, llama_token token);
bool llama_vocab_is_control(const llama_vocab * vocab, llama_token token);
int32_t llama_tokenize(const llama_vocab * vocab, const char * text, int32_t length, llama_token * tokens, int32_t size,
                       bool add_special, bool parse_special);
int32_t llama_token_to_piece(const llama_vocab * vocab, llama_token token, char * buffer, int32_t length, int32_t lstrip, bool special);
"""

CONTEXT_DEFAULTS: Final[dict[str, float]] = {
    "n_ctx": 512,
    "n_batch": 2048,
    "n_ubatch": 512,
    "n_seq_max": 1,
    "n_outputs_max_per_seq": 1,
    "rope_scaling_type": -1,
    "pooling_type": -1,
    "attention_type": -1,
    "flash_attn_type": -1,
    "yarn_ext_factor": -1.0,
    "yarn_orig_ctx": 0,
    "defrag_thold": -1.0,
    "type_k": F16,
    "type_v": F16,
    "embeddings": False,
    "offload_kqv": True,
    "no_perf": True,
    "op_offload": True,
    "swa_full": True,
    "kv_unified": False,
    "n_samplers": 0,
}

MODEL_DEFAULTS: Final[dict[str, float]] = {
    "n_gpu_layers": -1,
    "split_mode": 1,
    "load_mode": -1,
    "lazy_mode": 1,
    "main_gpu": 0,
    "vocab_only": False,
    "use_extra_bufts": True,
    "no_alloc": False,
    "load_mtp": False,
}
